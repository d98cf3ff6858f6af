import { Worker } from 'node:worker_threads';
import type { FileResult, FileTask } from './check-file.ts';
import type { LocateResult, LocateTask } from './locate.ts';
import type { Job, Message } from './thread.ts';

interface Waiting {
  job: Job;
  resolve: (result: never) => void;
  reject: (error: Error) => void;
}

/** Something that was to be read cannot be read: no verdict, neither sound nor unsound. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

/**
 * Threads that each take the next file when they are done with one.
 *
 * @param onBytes told how many compressed bytes were read
 */
export function createPool(size: number, onBytes: (bytes: number) => void) {
  const idle: Worker[] = [];
  const all: Worker[] = [];
  const queue: Waiting[] = [];
  const running = new Map<Worker, Waiting>();

  function next(): void {
    while (queue.length > 0) {
      const worker = idle.pop() ?? (all.length < size ? start() : undefined);
      if (worker === undefined) return;
      const waiting = queue.shift() as Waiting;
      running.set(worker, waiting);
      worker.postMessage(waiting.job);
    }
  }

  function start(): Worker {
    const worker = new Worker(new URL('./thread.ts', import.meta.url));
    all.push(worker);
    worker.on('message', (message: Message) => {
      if (message.kind === 'bytes') return onBytes(message.bytes);
      const waiting = running.get(worker);
      running.delete(worker);
      idle.push(worker);
      if (message.kind === 'done') waiting?.resolve(message.result as never);
      else waiting?.reject(new UnreadableError(message.message));
      next();
    });
    // A thread that cannot start, or runs out of memory, answers nothing: the run ends.
    worker.on('error', (error) => {
      for (const { reject } of [...running.values(), ...queue.splice(0)]) reject(error as Error);
      running.clear();
    });
    return worker;
  }

  function submit<Result>(job: Job): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      queue.push({ job, resolve: resolve as Waiting['resolve'], reject });
      next();
    });
  }

  return {
    check: (task: FileTask) => submit<FileResult>({ kind: 'check', task }),
    locate: (task: LocateTask) => submit<LocateResult>({ kind: 'locate', task }),
    async close(): Promise<void> {
      await Promise.all(all.map((worker) => worker.terminate()));
    },
  };
}

export type Pool = ReturnType<typeof createPool>;
