import type { KeyObject } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { createRangeCheck, type RangeTask } from './audit-check.ts';
import { connectForAudit } from './audit-connection.ts';

/** What a thread is started with. */
export interface ThreadData {
  databaseUrl: string;
  auditKeys: KeyObject[];
}

/** Checks the ranges that it is sent, one after the other, on a connection of its own, until it is terminated. */
const { databaseUrl, auditKeys } = workerData as ThreadData;
const { check } = createRangeCheck(auditKeys);
const client = await connectForAudit(databaseUrl);
let queue = Promise.resolve();
parentPort?.on('message', (task: RangeTask) => {
  // What fails ends the thread, which its owner notices.
  queue = queue.then(async () => parentPort?.postMessage(await check(client, task)));
});
