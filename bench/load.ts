import { percentile } from '../cli/replay-tally.ts';

/** What one closed loop measured. Times are milliseconds as the caller saw them. */
export interface LoadResult {
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** One call; throws when the answer is not the expected one, since a fast refusal is no result. */
export type Operation = () => Promise<unknown>;

/** Latencies and time of several runs of one operation, to be read as one. */
export interface Samples {
  readonly latencies: number[];
  seconds: number;
}

export const noSamples = (): Samples => ({ latencies: [], seconds: 0 });

/**
 * `concurrency` callers who each send the next call when the last was answered, for about `ms` milliseconds. What is under
 * way at the end is waited for and counted, and the time it took with it.
 */
export async function runLoad(concurrency: number, ms: number, operation: Operation, into: Samples): Promise<void> {
  const started = performance.now();
  const caller = async () => {
    while (performance.now() - started < ms) {
      const sent = performance.now();
      await operation();
      into.latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  into.seconds += (performance.now() - started) / 1000;
}

export function summarise({ latencies, seconds }: Samples): LoadResult {
  const sorted = latencies.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    seconds,
    perSecond: sorted.length / seconds,
    p50: percentile(sorted, 50) ?? Number.NaN,
    p99: percentile(sorted, 99) ?? Number.NaN,
  };
}
