import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import type { Keyring } from '../../security/keyring.ts';
import { createPayloadCodec, encodedWith } from '../../temporal/payload-codec.ts';
import { eventually } from './eventually.ts';

/** Decodes every payload of a history in place: a search for secrets has to see what somebody with the key would see. */
export async function decodeHistory<H>(keyring: Keyring, history: H): Promise<H> {
  const codec = createPayloadCodec(keyring, { unencoded: 'pass' });
  const walk = async (value: unknown): Promise<void> => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
    if ('metadata' in value && 'data' in value && encodedWith(value as Payload) !== undefined) {
      const [plain] = await codec.decode([value as Payload]);
      Object.assign(value, plain);
      return;
    }
    for (const one of Object.values(value)) await walk(one);
  };
  await walk(history);
  return history;
}

/**
 * Everything that Temporal stores of the workflows on these queues, as text: every string and every payload's bytes of
 * every event. Base64 and encodings are undone, so that what is searched for would be found.
 */
export async function historyTexts(
  client: Client,
  keyring: Keyring,
  taskQueues: readonly string[],
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const queue of taskQueues) {
    for await (const { workflowId, runId } of client.workflow.list({ query: `TaskQueue = '${queue}'` })) {
      const history = await decodeHistory(keyring, await client.workflow.getHandle(workflowId, runId).fetchHistory());
      const found: string[] = [];
      collect(history, found);
      texts.set(workflowId, found.join('\n'));
    }
  }
  return texts;
}

/** Waits until the list, which lags a little, has every one of these workflows. */
export async function waitUntilListed(client: Client, workflowIds: readonly string[]): Promise<void> {
  for (const workflowId of workflowIds) {
    await eventually(
      async () => {
        for await (const _ of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) return true;
        return false;
      },
      { what: `${workflowId} in the list` },
    );
  }
}

function collect(value: unknown, found: string[]): void {
  if (typeof value === 'string') found.push(value);
  else if (value instanceof Uint8Array) found.push(Buffer.from(value).toString('utf8'));
  else if (Array.isArray(value)) for (const one of value) collect(one, found);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, one] of Object.entries(value)) {
      found.push(name);
      collect(one, found);
    }
  }
}
