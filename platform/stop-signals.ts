const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface StopSignalOptions {
  /** The first signal. */
  readonly onStop: (reason: string) => void;
  /** A later one: the operator does not want to wait. */
  readonly onInsist: (reason: string) => void;
}

/**
 * Listens for SIGINT, SIGTERM and SIGHUP. Ctrl-C under npm arrives twice, from the terminal and forwarded by npm, so a
 * second signal counts as insistence only when it comes more than a second later.
 *
 * Started by npm, the end of npm's shell counts as SIGTERM: some shells do not hand on a signal that npm forwards.
 */
export function onStopSignals({ onStop, onInsist }: StopSignalOptions): void {
  let firstAt: number | undefined;
  const receive = (reason: string): void => {
    if (firstAt === undefined) {
      firstAt = Date.now();
      onStop(reason);
    } else if (Date.now() - firstAt > 1_000) {
      onInsist(reason);
    }
  };
  for (const signal of SIGNALS) process.on(signal, () => receive(signal));
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    receive('the end of npm');
  }, 500);
  watch.unref();
}
