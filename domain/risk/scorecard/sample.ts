import type { LabelledValues } from './binning.ts';

/** Transactions to learn from, by characteristic. Where some were left out, the others weigh more. */
export interface Sample {
  /** One column a characteristic, NaN where unknown. */
  readonly columns: readonly Float64Array[];
  readonly labels: Uint8Array;
  readonly weights: Float64Array;
  /** All that were offered. */
  readonly rows: number;
  readonly events: number;
}

/** So many of each kind are kept; a row is some 300 bytes. */
export const MAX_OTHERS = 150_000;
export const MAX_EVENTS = 50_000;

/**
 * Collects a sample whose memory is bounded: of each kind those with the smallest hashes of seed and row number stay, which
 * is a simple random sample without replacement, and the same for the same file and seed.
 */
export function createSampler(
  width: number,
  seed: number,
  limits: { readonly events: number; readonly others: number } = { events: MAX_EVENTS, others: MAX_OTHERS },
) {
  const events = createBottom(limits.events, width);
  const others = createBottom(limits.others, width);
  return {
    /** @param n number of the row in the file; `values` is copied */
    add(n: number, isEvent: boolean, values: Float64Array): void {
      (isEvent ? events : others).add(hash(seed, n), n, values);
    },
    /** @returns the rows kept, in the file's order, frauds first */
    take(): Sample {
      const parts = [events, others].map((part) => ({ part, rows: part.rows() }));
      const size = parts.reduce((sum, { rows }) => sum + rows.length, 0);
      const columns = Array.from({ length: width }, () => new Float64Array(size));
      const labels = new Uint8Array(size);
      const weights = new Float64Array(size);
      let at = 0;
      for (const { part, rows } of parts) {
        for (const values of rows) {
          for (let column = 0; column < width; column += 1) {
            (columns[column] as Float64Array)[at] = values[column] as number;
          }
          labels[at] = part === events ? 1 : 0;
          weights[at] = part.seen / rows.length;
          at += 1;
        }
      }
      return { columns, labels, weights, rows: events.seen + others.seen, events: events.seen };
    },
  };
}

/** One characteristic of a sample. */
export function columnOf({ columns, labels, weights }: Sample, column: number): LabelledValues {
  return { values: columns[column] as Float64Array, labels, weights };
}

/** Samples of consecutive periods as one. */
export function joinSamples(samples: readonly Sample[]): Sample {
  const size = samples.reduce((sum, { labels }) => sum + labels.length, 0);
  const weights = new Float64Array(size);
  const labels = new Uint8Array(size);
  const columns = (samples[0]?.columns ?? []).map(() => new Float64Array(size));
  let at = 0;
  for (const sample of samples) {
    weights.set(sample.weights, at);
    labels.set(sample.labels, at);
    for (const [index, column] of columns.entries()) column.set(sample.columns[index] as Float64Array, at);
    at += sample.labels.length;
  }
  const total = (of: (sample: Sample) => number) => samples.reduce((sum, sample) => sum + of(sample), 0);
  return { columns, labels, weights, rows: total(({ rows }) => rows), events: total(({ events }) => events) };
}

interface Kept {
  readonly key: number;
  readonly n: number;
  readonly values: Float64Array;
}

/** The rows of the smallest keys, as a binary heap with the largest key on top. */
function createBottom(capacity: number, width: number) {
  const heap: Kept[] = [];
  let seen = 0;
  const keyAt = (index: number) => heap[index]?.key ?? Number.NEGATIVE_INFINITY;
  const swap = (a: number, b: number) => {
    const kept = heap[a] as Kept;
    heap[a] = heap[b] as Kept;
    heap[b] = kept;
  };
  function rise(from: number): void {
    for (let index = from; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (keyAt(parent) >= keyAt(index)) return;
      swap(parent, index);
      index = parent;
    }
  }
  function sink(): void {
    for (let index = 0; ; ) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      const larger = keyAt(right) > keyAt(left) ? right : left;
      if (keyAt(larger) <= keyAt(index)) return;
      swap(larger, index);
      index = larger;
    }
  }
  return {
    add(key: number, n: number, values: Float64Array): void {
      seen += 1;
      if (heap.length < capacity) {
        heap.push({ key, n, values: values.slice(0, width) });
        rise(heap.length - 1);
      } else if (key < keyAt(0)) {
        const { values: slot } = heap[0] as Kept;
        slot.set(values.subarray(0, width));
        heap[0] = { key, n, values: slot };
        sink();
      }
    },
    rows: (): Float64Array[] => heap.toSorted((a, b) => a.n - b.n).map(({ values }) => values),
    get seen() {
      return seen;
    },
  };
}

/** 53 well-mixed bits of two numbers, as [0, 1): the finaliser of MurmurHash3 (Appleby), twice. */
export function hash(seed: number, n: number): number {
  const high = mix(mix(seed ^ 0x9e3779b9) ^ (n | 0) ^ mix(Math.floor(n / 2 ** 32)));
  const low = mix(high ^ 0x85ebca6b);
  return (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
}

function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
