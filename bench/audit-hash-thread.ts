import { parentPort, workerData } from 'node:worker_threads';
import { connectForAudit } from '../db/audit-connection.ts';
import { type HashTask, hashRange } from './audit-hash.ts';

/** Hashes the ranges that it is sent, on a connection of its own, until it is terminated. */
const client = await connectForAudit(workerData as string);
let queue = Promise.resolve();
parentPort?.on('message', (task: HashTask) => {
  queue = queue.then(async () => parentPort?.postMessage(await hashRange(client, task)));
});
