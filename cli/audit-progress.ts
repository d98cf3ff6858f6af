import { SingleBar } from 'cli-progress';

/** What a long command of the log is given. */
export interface LongWork<Phase extends string> {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { phase: Phase; done: number; total: number }) => void;
  /** Takes the bar away, before something is printed. */
  readonly endBar: () => void;
}

/**
 * Runs a long command with a bar for each of its phases. Ctrl-C ends it with `stopped` and exit status 130; a refusal is said
 * in its sentence, with exit status 1.
 *
 * @param phases how each one is called; one without a name has nothing to follow
 * @param refusal the sentence of an error that people are to read; undefined for one that is a fault
 * @throws every fault
 */
export async function withProgress<Phase extends string>(
  given: {
    readonly phases: Readonly<Record<Phase, string | null>>;
    readonly stopped: string;
    readonly refusal: (error: unknown) => string | undefined;
  },
  work: (long: LongWork<Phase>) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const onSignal = () => stop.abort(new Error(given.stopped));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const bar = new SingleBar({
    format: '{phase} {bar} {percentage}% | {value} of {total} entries | ETA {eta_formatted}',
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 5_000,
  });
  let shown: Phase | undefined;
  try {
    await work({
      signal: stop.signal,
      onProgress({ phase, done, total }) {
        const name = given.phases[phase];
        if (name === null) return;
        if (shown !== phase) bar.start(total, done, { phase: name });
        shown = phase;
        bar.update(done, { phase: name });
      },
      endBar: () => bar.stop(),
    });
  } catch (error) {
    const sentence = stop.signal.aborted ? (error as Error).message : given.refusal(error);
    if (sentence === undefined) throw error;
    bar.stop();
    console.error(sentence);
    process.exitCode = stop.signal.aborted ? 130 : 1;
  } finally {
    bar.stop();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
