/** Buckets grow by this factor, so a percentile is off by at most half of it: 4 %. */
const GROWTH = 1.08;
const FIRST_MS = 0.1;
const BUCKETS = 270;

/** Counts durations by logarithmic buckets from 0.1 ms to over a day; its size does not grow with what it counted. */
export function createLatencyHistogram() {
  const counts = new Uint32Array(BUCKETS);
  let count = 0;
  let maxMs = 0;

  return {
    record(ms: number): void {
      const bucket = ms <= FIRST_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / FIRST_MS) / Math.log(GROWTH)));
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      count += 1;
      maxMs = Math.max(maxMs, ms);
    },
    get count(): number {
      return count;
    },
    get maxMs(): number {
      return maxMs;
    },
    /** @returns per bucket, so that several histograms can be read as one */
    counts: (): Readonly<Uint32Array> => counts,
  };
}

export type LatencyHistogram = ReturnType<typeof createLatencyHistogram>;

export interface LatencySummary {
  count: number;
  /** Milliseconds; null where nothing was counted. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
  max: number | null;
}

/** Percentiles (nearest rank) of what all these histograms counted together. */
export function summariseLatency(histograms: readonly LatencyHistogram[]): LatencySummary {
  const count = histograms.reduce((sum, one) => sum + one.count, 0);
  if (count === 0) return { count: 0, p50: null, p95: null, p99: null, max: null };
  const maxMs = Math.max(...histograms.map((one) => one.maxMs));
  const percentile = (share: number): number => {
    const rank = Math.ceil(share * count);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      for (const one of histograms) seen += one.counts()[bucket] ?? 0;
      if (seen >= rank) return rounded(Math.min(maxMs, FIRST_MS * GROWTH ** (bucket - (bucket === 0 ? 0 : 0.5))));
    }
    return rounded(maxMs);
  };
  return { count, p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99), max: rounded(maxMs) };
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
