import type { Micros } from '../domain/time.ts';

/**
 * A bar on a terminal's error output; a line every ten seconds elsewhere.
 * @param total of what `done` counts: bytes of a file, rows of a database
 */
export async function createBacktestProgress(total: number) {
  const { default: cliProgress } = await import('cli-progress');
  const started = performance.now();
  let rows = 0;
  const bar = new cliProgress.SingleBar({
    format: '{bar} {percentage} % | {rows} rows | {rate}/s | ETA {eta_formatted} | {time}',
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 10_000,
    hideCursor: true,
    etaBuffer: 200,
  });
  bar.start(Math.max(1, total), 0, { rows: 0, rate: '-', time: '-' });
  return {
    advance(added: number, at: Micros, done: number): void {
      rows += added;
      const rate = Math.round(rows / ((performance.now() - started) / 1_000));
      bar.update(Math.min(done, total), { rows, rate, time: new Date(at / 1_000).toISOString().slice(0, 10) });
    },
    stop: () => bar.stop(),
  };
}
