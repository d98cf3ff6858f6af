import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { deleteSchedules } from '../../workers/schedules.ts';
import { taskQueues } from '../../workflows/contract.ts';
import type { Stack } from './stack.ts';

const MAIN = fileURLToPath(new URL('../../workers/main.ts', import.meta.url));

/**
 * A worker of the stack's installation as a process of its own, so that a test can kill it as a machine would. It shares
 * the stack's database, task queues and secrets.
 */
export function createWorkerChild(stack: Stack) {
  let child: ChildProcess | undefined;
  const { config } = stack;

  return {
    start(): void {
      child = spawn(process.execPath, [MAIN], {
        env: {
          ...process.env,
          NODE_ENV: 'test',
          LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
          DATABASE_URL: config.databaseUrl,
          TEMPORAL_ADDRESS: config.temporalAddress,
          TASK_QUEUE_PREFIX: config.taskQueuePrefix,
          SESSION_SECRET: config.sessionSecret,
          ENCRYPTION_KEY: config.masterKey.kind === 'key' ? config.masterKey.key.export().toString('base64') : '',
          AUDIT_KEY: config.auditKey.export().toString('base64'),
          DATA_DIR: config.dataDir,
        },
        stdio: 'ignore',
      });
    },

    /** Removes what the process scheduled on the shared Temporal server. */
    deleteSchedules: () =>
      deleteSchedules(stack.temporal, { prefix: config.taskQueuePrefix, queues: taskQueues(config.taskQueuePrefix) }),

    /** SIGKILL: nothing is finished, nothing is told. */
    async kill(): Promise<void> {
      const killed = child;
      child = undefined;
      if (killed === undefined || killed.exitCode !== null) return;
      const gone = once(killed, 'exit');
      killed.kill('SIGKILL');
      await gone;
    },
  };
}
