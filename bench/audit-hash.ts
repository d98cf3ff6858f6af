import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { ClientBase } from 'pg';
import { rangeWidth } from '../db/audit-check.ts';
import { sealedRowsCopy } from '../db/audit-rows.ts';
import { copyOut } from '../db/copy-out.ts';

/** Sequence numbers, `to` exclusive. */
export interface HashTask {
  from: number;
  to: number;
}

/** The very bytes that verification reads, as it reads them, SHA-256 over all of them, and nothing else. @returns how many bytes */
export async function hashRange(client: ClientBase, task: HashTask): Promise<number> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const messages of copyOut(client, sealedRowsCopy(task))) {
    for (const message of messages) {
      hash.update(message);
      bytes += message.length;
    }
  }
  hash.digest();
  return bytes;
}

/** {@link hashRange} over the whole log, in the ranges and with as many threads and connections as verification has. */
export async function hashLog(databaseUrl: string, total: number, threads: number): Promise<number> {
  const width = rangeWidth(total);
  let next = 0;
  const take = (): HashTask | undefined => {
    if (next >= total) return undefined;
    const from = next;
    next = Math.min(total, next + width);
    return { from, to: next };
  };
  const sums = await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(new URL('./audit-hash-thread.ts', import.meta.url), { workerData: databaseUrl });
      try {
        let bytes = 0;
        for (let task = take(); task !== undefined; task = take()) bytes += await ask(worker, task);
        return bytes;
      } finally {
        await worker.terminate();
      }
    }),
  );
  return sums.reduce((a, b) => a + b, 0);
}

function ask(worker: Worker, task: HashTask): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  worker.once('error', reject);
  worker.once('message', (bytes: number) => {
    worker.off('error', reject);
    resolve(bytes);
  });
  worker.postMessage(task);
  return promise;
}
