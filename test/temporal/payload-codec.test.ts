import { randomUUID } from 'node:crypto';
import { CompleteAsyncError, Context } from '@temporalio/activity';
import { Client, Connection, WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, type Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Keyring } from '../../security/keyring.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { createPayloadCodec, encodedWith, PayloadCodecError } from '../../temporal/payload-codec.ts';
import { createEncodedInputCheck } from '../../workers/encoded-input.ts';
import { eventually } from '../helpers/eventually.ts';
import { keyringFor } from '../security/keyring-fixture.ts';

const file = (relative: string) => new URL(relative, import.meta.url).pathname;
const CANARY = `canary-${randomUUID()}`;
const taskQueue = `codec-${randomUUID()}`;

let keyring: Keyring;
let ours: Client;
/** Somebody with access to Temporal who cannot encode: the UI, the CLI, an intruder. It reads, to see what it is told. */
let outsider: Client;
let stop: () => Promise<void>;

beforeAll(async () => {
  keyring = await keyringFor('payload-codec');
  const { temporalAddress: address } = inject('servers');
  const codec = (unencoded: 'mark' | 'refuse') => ({
    ...dataConverter,
    payloadCodecs: [createPayloadCodec(keyring, { unencoded })],
  });
  const connection = await Connection.connect({ address });
  ours = new Client({ connection, dataConverter: codec('refuse') });
  const { decode } = createPayloadCodec(keyring, { unencoded: 'pass' });
  outsider = new Client({ connection, dataConverter: { payloadCodecs: [{ encode: async (plain) => plain, decode }] } });
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: file('./codec-workflows.ts'),
    failureConverterPath: file('../../temporal/failure-converter.ts'),
    workflowInterceptorModules: [file('../../workflows/encoded-input.ts')],
    logger: new DefaultLogger('ERROR'),
  });
  const native = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    workflowBundle,
    dataConverter: codec('mark'),
    interceptors: { activity: [createEncodedInputCheck()] },
    activities: {
      repeat: async (text: string) => `again ${text}`,
      fail: async (text: string) => {
        throw ApplicationFailure.nonRetryable(`activity failed over ${text}`, 'Test', text);
      },
      waitForOutsider: async () => {
        Context.current().heartbeat(`beat ${CANARY}`);
        throw new CompleteAsyncError();
      },
    },
  });
  const running = worker.run();
  stop = async () => {
    worker.shutdown();
    await running;
    await native.close();
    await connection.close();
  };
});
afterAll(() => stop?.());

const start = (client: Client, workflow: string, args: unknown[] = [CANARY]) =>
  client.workflow.start(workflow, {
    workflowId: `codec-${randomUUID()}`,
    taskQueue,
    args,
    staticSummary: `summary ${CANARY}`,
    staticDetails: `static details ${CANARY}`,
    memo: { note: CANARY },
  });

/** Every byte of a history as Temporal stores it. */
async function rawHistory(workflowId: string): Promise<Buffer> {
  const history = await outsider.workflow.getHandle(workflowId).fetchHistory();
  return Buffer.from(proto.temporal.api.history.v1.History.encode(history).finish());
}

describe('payloads on the way through Temporal', () => {
  it('hold nothing readable: arguments, results, signals, updates, failures, summaries, memos, heartbeats', async () => {
    const handle = await start(ours, 'everything');
    await handle.signal('nudge', { text: CANARY });
    await handle.signal('review', { verdictId: CANARY });
    expect(await handle.executeUpdate('append', { args: [CANARY] })).toBe(`${CANARY} ${CANARY}`);
    await handle.signal('finish');
    const { seen, caught } = (await handle.result()) as { seen: unknown[]; caught: string };
    expect(seen).toEqual(
      expect.arrayContaining([
        `again ${CANARY}`,
        `child of ${CANARY}`,
        { nudge: { text: CANARY } },
        { review: { verdictId: CANARY } },
        { update: CANARY },
      ]),
    );
    expect(caught).toBe(`activity failed over ${CANARY}`);
    expect(await handle.query('seen')).toEqual(seen);

    const raw = await rawHistory(handle.workflowId);
    expect(raw.length).toBeGreaterThan(3_000);
    expect(raw.includes(CANARY)).toBe(false);
    expect(raw.includes('encryption-key-id')).toBe(true);
    const description = await ours.workflow.getHandle(handle.workflowId).describe();
    expect(await description.staticSummary()).toBe(`summary ${CANARY}`);
    expect(description.memo).toEqual({ note: CANARY });
  });

  it('hold no failure’s words either, and the client reads them', async () => {
    const handle = await start(ours, 'failing');
    const error = await handle.result().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect((error as WorkflowFailedError).cause).toMatchObject({
      message: `failed over ${CANARY}`,
      details: [{ detail: CANARY }],
    });
    const raw = await rawHistory(handle.workflowId);
    expect(raw.includes(CANARY)).toBe(false);
    expect(raw.includes('codec-workflows.ts')).toBe(false);
  });
});

describe('input that passed no codec', () => {
  it('starts nothing', async () => {
    const handle = await start(outsider, 'everything');
    const error = (await ours.workflow
      .getHandle(handle.workflowId)
      .result()
      .catch((thrown) => thrown)) as Error;
    expect(error.cause).toMatchObject({ type: 'UnencodedInput' });
  });

  it('is dropped as a signal, but for review, and holds no workflow up', async () => {
    const handle = await start(ours, 'everything');
    const plain = outsider.workflow.getHandle(handle.workflowId);
    await plain.signal('nudge', { text: 'plain' });
    await plain.signal('review', { reviewer: 'r', totp: '123456' });
    await signalRaw(handle.workflowId, 'review', { encoding: 'json/plain' }, 'no json');
    await signalRaw(handle.workflowId, 'review', { encoding: 'binary/unheard-of' }, '\u0000');
    await signalRaw(handle.workflowId, 'nudge', { encoding: 'binary/unheard-of' }, 'x');
    await signalRaw(handle.workflowId, 'review', forgedMetadata(), 'forged');
    await handle.signal('finish');
    const { seen } = (await handle.result()) as { seen: unknown[] };
    expect(seen.filter((value) => typeof value === 'object')).toEqual([
      { review: { reviewer: 'r', totp: '123456' } },
      { review: null },
      { review: null },
      { review: null },
    ]);
  });

  it('is refused as an update and as a query', async () => {
    const handle = await start(ours, 'everything');
    const plain = outsider.workflow.getHandle(handle.workflowId);
    await expect(plain.executeUpdate('append', { args: ['plain'] })).rejects.toThrow(WorkflowUpdateFailedError);
    await expect(plain.query('seen', 'plain')).rejects.toThrow(/unencoded|Encoded failure/);
    await handle.signal('finish');
    expect(JSON.stringify(await handle.result())).not.toContain('plain');
  });

  it('is no answer for an activity', async () => {
    const handle = await start(ours, 'answeredByOutsider');
    const pending = await eventually(async () => {
      const { pendingActivities } = (await handle.describe()).raw;
      return pendingActivities?.[0]?.activityId ?? undefined;
    });
    await eventually(() =>
      outsider.activity
        .complete({ workflowId: handle.workflowId, activityId: pending }, 'forged')
        .then(() => true)
        .catch(() => false),
    );
    const error = (await handle.result().catch((thrown) => thrown)) as Error;
    expect(error.cause).toMatchObject({ type: 'UnencodedInput' });
    expect((await rawHistory(handle.workflowId)).includes(CANARY)).toBe(false);
  });

  it('is not believed by a client', async () => {
    const codec = createPayloadCodec(keyring, { unencoded: 'refuse' });
    await expect(codec.decode([plainPayload('x')])).rejects.toThrow(PayloadCodecError);
  });
});

describe('the codec', () => {
  const roundTrip = async (payload: Payload) => {
    const codec = createPayloadCodec(keyring, { unencoded: 'refuse' });
    return codec.decode(await codec.encode([payload]));
  };

  it('keeps every payload as it was, metadata and empty data included', async () => {
    for (const payload of [
      plainPayload({ a: 'ü' }),
      { metadata: { encoding: Buffer.from('binary/null') }, data: new Uint8Array() },
      { metadata: { encoding: Buffer.from('binary/plain'), own: Buffer.from([0, 255]) }, data: Buffer.from([1, 2, 3]) },
    ]) {
      const [back] = await roundTrip(payload);
      expect(Buffer.from(back?.data ?? []).equals(Buffer.from(payload.data))).toBe(true);
      expect(Object.keys(back?.metadata ?? {})).toEqual(Object.keys(payload.metadata));
    }
  });

  it('never gives the same bytes twice, and names the key', async () => {
    const codec = createPayloadCodec(keyring, { unencoded: 'refuse' });
    const [a, b] = await codec.encode([plainPayload('x'), plainPayload('x')]);
    expect(a?.data).not.toEqual(b?.data);
    expect(encodedWith(a as Payload)).toBe(keyring.generations('payload-codec')[0]?.keyId);
    expect(encodedWith(plainPayload('x'))).toBeUndefined();
  });

  it('reads what earlier generations of the key encoded, and nothing of another installation', async () => {
    const codec = createPayloadCodec(keyring, { unencoded: 'refuse' });
    const [before] = await codec.encode([plainPayload('before')]);
    await keyring.openWrapped(await keyring.generateWrapped('payload-codec', 2), { active: true });
    const [after] = await codec.encode([plainPayload('after')]);
    expect(encodedWith(before as Payload)).not.toBe(encodedWith(after as Payload));
    const texts = (await codec.decode([before as Payload, after as Payload])).map(
      ({ data }) => `${Buffer.from(data ?? [])}`,
    );
    expect(texts).toEqual(['"before"', '"after"']);
    const stranger = createPayloadCodec(await keyringFor('payload-codec'), { unencoded: 'mark' });
    await expect(stranger.decode([after as Payload])).rejects.toMatchObject({ code: 'unknown_key' });
  });

  it('opens nothing that was altered, cut short or given another key’s id', async () => {
    const codec = createPayloadCodec(keyring, { unencoded: 'refuse' });
    const [encoded] = await codec.encode([plainPayload('x')]);
    const { metadata, data } = encoded as { metadata: Record<string, Uint8Array>; data: Uint8Array };
    const [current, previous] = keyring.generations('payload-codec');
    for (const altered of [
      { metadata, data: Buffer.from(data).fill((data[20] ?? 0) ^ 1, 20, 21) },
      { metadata, data: data.subarray(0, 20) },
      { metadata, data: new Uint8Array() },
      { metadata: { ...metadata, 'encryption-key-id': Buffer.from(previous?.keyId ?? '') }, data },
    ]) {
      await expect(codec.decode([altered])).rejects.toThrow(PayloadCodecError);
    }
    expect(current?.active).toBe(true);
  });
});

function plainPayload(value: unknown) {
  return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
}

function forgedMetadata() {
  return { encoding: 'binary/encrypted', 'encryption-key-id': keyring.generations('payload-codec')[0]?.keyId ?? '' };
}

/** A signal whose one payload is exactly this. */
async function signalRaw(workflowId: string, signalName: string, metadata: Record<string, string>, data: string) {
  await outsider.connection.workflowService.signalWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId },
    signalName,
    requestId: randomUUID(),
    input: {
      payloads: [
        {
          metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value)])),
          data: Buffer.from(data),
        },
      ],
    },
  });
}
