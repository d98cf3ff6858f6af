/** What is compared: the same work by bare means, and as the product does it. */
export interface Contest {
  readonly name: string;
  readonly bare: () => unknown;
  readonly ours: () => unknown;
}

export interface ContestResult {
  readonly name: string;
  /** Microseconds of processor time a call, the median slice of each. */
  readonly bareMicros: number;
  readonly oursMicros: number;
  /** Throughput of ours by that of the bare work: 1 would be as fast. */
  readonly ratio: number;
}

const ROUNDS = 9;
const CALLS = 8_000;

/**
 * Runs slices of both in turns, so that a machine that gets slower slows both, and takes each one's median. Processor
 * time, not wall time: other programs share the machine.
 */
export function compare({ name, bare, ours }: Contest): ContestResult {
  for (const work of [bare, ours]) slice(work, CALLS / 4);
  const times = { bare: [] as number[], ours: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    times.bare.push(slice(bare, CALLS));
    times.ours.push(slice(ours, CALLS));
  }
  const [bareMicros, oursMicros] = [median(times.bare), median(times.ours)];
  return { name, bareMicros, oursMicros, ratio: bareMicros / oursMicros };
}

/** @returns microseconds of processor time a call */
function slice(work: () => unknown, calls: number): number {
  const before = process.cpuUsage();
  for (let n = 0; n < calls; n += 1) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
