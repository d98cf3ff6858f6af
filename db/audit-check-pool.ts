import type { KeyObject } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { createRangeCheck, type RangeResult, type RangeTask } from './audit-check.ts';
import type { ThreadData } from './audit-check-thread.ts';
import { connectForAudit } from './audit-connection.ts';

export interface CheckPool {
  check(task: RangeTask): Promise<RangeResult>;
  /** How many ranges are worked on at once. */
  readonly width: number;
  close(): Promise<void>;
}

/** In this thread, on a connection of its own: a few thousand entries are checked before a thread has started. */
export async function openCheckHere(databaseUrl: string, auditKeys: readonly KeyObject[]): Promise<CheckPool> {
  const client = await connectForAudit(databaseUrl);
  const { check } = createRangeCheck(auditKeys);
  return { check: (task) => check(client, task), width: 1, close: () => client.end() };
}

/** In threads, each with a connection of its own. */
export function openCheckThreads(databaseUrl: string, auditKeys: readonly KeyObject[], threads: number): CheckPool {
  const workerData: ThreadData = { databaseUrl, auditKeys: [...auditKeys] };
  const workers = Array.from({ length: threads }, () => {
    const worker = new Worker(new URL('./audit-check-thread.ts', import.meta.url), { workerData });
    const waiting: PromiseWithResolvers<RangeResult>[] = [];
    let lost: Error | undefined;
    const lose = (error: Error) => {
      lost ??= error;
      for (const one of waiting.splice(0)) one.reject(lost);
    };
    worker.on('message', (result: RangeResult) => waiting.shift()?.resolve(result));
    worker.on('error', lose);
    worker.on('exit', () => lose(new Error('a thread of the verification ended')));
    return {
      worker,
      waiting,
      check(task: RangeTask): Promise<RangeResult> {
        if (lost) return Promise.reject(lost);
        const one = Promise.withResolvers<RangeResult>();
        waiting.push(one);
        worker.postMessage(task);
        return one.promise;
      },
    };
  });
  return {
    check: (task) => workers.reduce((a, b) => (b.waiting.length < a.waiting.length ? b : a)).check(task),
    // One in work and one that waits, so that no thread is idle while its last result is taken.
    width: threads * 2,
    async close() {
      await Promise.all(workers.map(({ worker }) => worker.terminate()));
    },
  };
}
