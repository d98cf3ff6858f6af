import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import proto from '@temporalio/proto';
import { DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { dataConverter } from '../../temporal/data-converter.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';

type History = proto.temporal.api.history.v1.IHistory;

/**
 * Histories that an earlier version of the program left: with runs like these in flight it is replaced. Recorded (as the
 * protocol buffers that the server answers with) before holds had reminders and appeals, and before a verification of the
 * audit log was told what to go through.
 */
const HISTORIES = [
  ...['transaction-held', 'transaction-hold-expired', 'transaction-confirmed-and-rejected'],
  ...['audit-verification-scheduled', 'audit-verification-invalid', 'audit-verification-cancelled'],
];

function stored(name: string): History {
  const bytes = readFileSync(join(import.meta.dirname, 'histories', `${name}.binpb`));
  return proto.temporal.api.history.v1.History.decode(bytes);
}

describe('a workflow that an earlier version began', () => {
  let workflowBundle: WorkflowBundleWithSourceMap;
  beforeAll(async () => {
    Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
    workflowBundle = await bundleWorkflows();
  }, 120_000);

  const replay = (history: History) => Worker.runReplayHistory({ workflowBundle, dataConverter }, history);

  it.each(HISTORIES)('%s: goes on with the same commands', async (name) => {
    await expect(replay(stored(name))).resolves.toBeUndefined();
  });

  it('would be told apart from one with other commands', async () => {
    const history = stored('transaction-hold-expired');
    const child = history.events
      ?.map((event) => event.startChildWorkflowExecutionInitiatedEventAttributes)
      .find((attributes) => attributes?.workflowType?.name === 'incident');
    Object.assign(child?.workflowType ?? {}, { name: 'somethingElse' });
    expect(child).toBeDefined();
    await expect(replay(history)).rejects.toThrow(/nondeterminism/i);
  });
});
