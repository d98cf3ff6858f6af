import { parentPort } from 'node:worker_threads';
import { checkFile, type FileTask } from './check-file.ts';
import { type LocateTask, locate } from './locate.ts';

/** What a thread is sent, one at a time. */
export type Job = { kind: 'check'; task: FileTask } | { kind: 'locate'; task: LocateTask };

/** What it sends back: compressed bytes as they are read, then the result or a fault. */
export type Message =
  | { kind: 'bytes'; bytes: number }
  | { kind: 'done'; result: unknown }
  | { kind: 'failed'; code: string | undefined; message: string };

const port = parentPort;
if (port !== null) {
  const send = (message: Message) => port.postMessage(message);
  port.on('message', async (job: Job) => {
    const onBytes = (bytes: number) => send({ kind: 'bytes', bytes });
    try {
      const result = job.kind === 'check' ? await checkFile(job.task, onBytes) : await locate(job.task, onBytes);
      send({ kind: 'done', result });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      send({ kind: 'failed', code, message });
    }
  });
}
