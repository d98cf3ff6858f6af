import type { Logger } from './logger.ts';

export interface ShutdownOptions {
  readonly log: Logger;
  /** Milliseconds for all steps together; then the process ends with code 1. */
  readonly timeout: number;
  /** For tests; default `process.exit`. */
  readonly exit?: (code: number) => void;
}

/**
 * Closes a process in order when SIGTERM or SIGINT arrives: what was registered last is closed first, as its parts were
 * built on those before. A step that fails does not keep the next ones from running. Exits 0, or 1 when a step failed or
 * the time ran out.
 */
export function createShutdown({ log, timeout, exit = process.exit }: ShutdownOptions) {
  const steps: { name: string; close: () => unknown }[] = [];
  let running: Promise<void> | undefined;

  async function closeAll(reason: string): Promise<void> {
    log.info({ reason }, 'shutting down');
    let current = '';
    const timer = setTimeout(() => {
      log.error({ step: current, timeout }, 'shutdown took too long');
      exit(1);
    }, timeout);
    let failed = false;
    for (const { name, close } of steps.toReversed()) {
      current = name;
      try {
        await close();
      } catch (err) {
        failed = true;
        log.error({ err, step: name }, 'shutdown step failed');
      }
    }
    clearTimeout(timer);
    log.info('stopped');
    exit(failed ? 1 : 0);
  }

  return {
    /** Registers a step. */
    add(name: string, close: () => unknown): void {
      steps.push({ name, close });
    },
    /** Runs the steps once; later calls wait for the first. */
    run(reason: string): Promise<void> {
      running ??= closeAll(reason);
      return running;
    },
    /** Listens for SIGTERM and SIGINT. */
    listen(): void {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void this.run(signal));
    },
  };
}

export type Shutdown = ReturnType<typeof createShutdown>;
