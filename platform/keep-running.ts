import type { Exit, RunningProcess } from './running-process.ts';

export interface KeepRunningOptions<P extends RunningProcess> {
  readonly name: string;
  readonly start: () => Promise<P>;
  readonly say: (line: string) => void;
  /** Called after each restart. */
  readonly onRestart: (process: P) => void;
  /** Milliseconds; the wait doubles from the first to the last and begins anew after `healthyAfter` of running. */
  readonly backOff?: { readonly first: number; readonly last: number; readonly healthyAfter: number };
}

const DEFAULT_BACK_OFF = { first: 200, last: 10_000, healthyAfter: 30_000 };

/** Starts a process and starts it again whenever it ends by itself, until `stop`. */
export function keepRunning<P extends RunningProcess>(options: KeepRunningOptions<P>) {
  const { name, say, backOff = DEFAULT_BACK_OFF } = options;
  const stopping = new AbortController();
  let current: P | undefined;
  let delay = backOff.first;
  let watching: Promise<void> = Promise.resolve();

  async function watch(process: P): Promise<void> {
    let watched: P | undefined = process;
    while (!stopping.signal.aborted) {
      const startedAt = Date.now();
      const exit = watched && (await watched.exited);
      if (stopping.signal.aborted) return;
      if (Date.now() - startedAt > backOff.healthyAfter) delay = backOff.first;
      if (exit) say(`${name} ended by itself (${describe(exit)}); starting it again in ${delay} ms.`);
      await pause(delay, stopping.signal);
      delay = Math.min(delay * 2, backOff.last);
      watched = await startAgain();
    }
  }

  async function startAgain(): Promise<P | undefined> {
    if (stopping.signal.aborted) return undefined;
    try {
      const process = await options.start();
      current = process;
      if (stopping.signal.aborted) return undefined;
      say(`${name} runs again, process ${process.pid}.`);
      options.onRestart(process);
      return process;
    } catch (error) {
      say(`${name} does not start (${(error as Error).message}); trying again in ${delay} ms.`);
      return undefined;
    }
  }

  async function startFirst(): Promise<P> {
    const process = await options.start();
    current = process;
    watching = watch(process);
    return process;
  }

  let first: Promise<P> | undefined;
  return {
    /** The first start. @throws when it fails. */
    start(): Promise<P> {
      first ??= startFirst();
      return first;
    },
    /** Ends it in order, a start under way included, and does not start it again. */
    async stop(): Promise<void> {
      stopping.abort();
      // What is just being started has to be waited for, or nobody would end it.
      await first?.catch(() => {});
      await current?.stop();
      await watching;
      await current?.stop();
    },
  };
}

function describe({ code, signal }: Exit): string {
  return signal ? `signal ${signal}` : `code ${code}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
