import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import type { Activities } from '../activities/index.ts';
import { createLogger } from '../platform/logger.ts';
import { dataConverter } from '../temporal/data-converter.ts';
import { createWorkers, runWorkers } from '../workers/worker.ts';
import { taskQueues } from '../workflows/contract.ts';

/** Polls for the bare workflow, with the very settings of the product's worker, until it is told to stop. */
const [address = '', prefix = ''] = process.argv.slice(2);
Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort());
process.on('disconnect', () => stopping.abort());

const workflowBundle = await bundleWorkflowCode({
  workflowsPath: new URL('./hello-workflow.ts', import.meta.url).pathname,
  failureConverterPath: new URL('../temporal/failure-converter.ts', import.meta.url).pathname,
  logger: new DefaultLogger('WARN'),
});
const connection = await NativeConnection.connect({ address });
const workers = await createWorkers({
  connection,
  namespace: 'default',
  queues: taskQueues(prefix),
  workflowBundle,
  // createWorkers takes whatever activities there are by name; its type names the product's.
  activities: { greet: async (name: string) => `Hello, ${name}` } as unknown as Activities,
  identity: `hello:${process.pid}`,
  dataConverter,
  shutdownTimeoutMs: 5_000,
  log: createLogger({ level: 'warn', name: 'hello' }),
});
process.send?.({ type: 'ready' });
await runWorkers(workers, stopping.signal);
await connection.close();
process.disconnect?.();
