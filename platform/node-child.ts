import { lastLines } from './data-folder.ts';
import { launch, type RunningProcess } from './running-process.ts';

export interface NodeChildOptions {
  readonly name: string;
  /** File of the module that is run. */
  readonly module: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: string;
  readonly onSpawn: (pid: number) => void;
  /** Milliseconds until it must have said that it is ready. */
  readonly readyTimeout?: number;
}

export interface NodeChild extends RunningProcess {
  /** Where it listens, when it does. */
  readonly url: string | undefined;
}

/**
 * Measured on a worker after 400 transactions: 257 MB with these flags and two malloc arenas, 527 MB without. V8 would
 * let the young generation of each of its threads grow far beyond what lives in it.
 */
const SMALL_HEAP = ['--max-semi-space-size=4'];

/**
 * Runs a module of this project as a process of its own and waits for its message `{type: 'ready', url?}`.
 * @throws with the end of its log when it ends first or stays silent.
 */
export async function startNodeChild(options: NodeChildOptions): Promise<NodeChild> {
  const { child, running } = await launch({
    command: process.execPath,
    args: [...SMALL_HEAP, options.module],
    env: { MALLOC_ARENA_MAX: '2', ...options.env },
    log: options.log,
    stopSignal: 'SIGTERM',
    stopTimeout: 12_000,
    ipc: true,
  });
  options.onSpawn(running.pid);
  const { readyTimeout = 60_000 } = options;
  let timer: NodeJS.Timeout | undefined;
  try {
    const url = await new Promise<string | undefined>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not ready after ${readyTimeout} ms`)), readyTimeout);
      running.exited.then(({ code, signal }) => reject(new Error(`ended with ${signal ?? `code ${code}`}`)));
      child.on('message', (message) => {
        const { type, url: at } = (message ?? {}) as { type?: unknown; url?: unknown };
        if (type === 'ready') resolve(typeof at === 'string' ? at : undefined);
      });
    });
    return { ...running, url };
  } catch (error) {
    await running.stop();
    const end = lastLines(options.log, 20);
    throw new Error(`${options.name}: ${(error as Error).message}. The end of ${options.log}:\n${end}`);
  } finally {
    clearTimeout(timer);
  }
}
