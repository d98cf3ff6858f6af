/**
 * A histogram of amounts whose buckets are decimal: the number of digits of the minor units and the leading ones of
 * them. It has the same relative resolution at 5.00 and at 5,000,000.00, needs no floating-point logarithm (SQL can
 * compute the same bucket from the number's text), and holds at most some hundred buckets however many amounts it saw.
 *
 * Pairs are `[bucket, count]`, ascending by bucket.
 */
export type AmountHistogram = ReadonlyArray<readonly [bucket: number, count: number]>;

const TEN = 10;

/**
 * The bucket of an amount: `digits * 10^leading + leading digits`, so that greater amounts never have smaller buckets.
 * @param amountMinor minor units, above zero
 * @param leading how many leading digits tell buckets apart: 2 for 1 to 10 %, 3 for 0.1 to 1 %
 */
export function bucketOf(amountMinor: bigint, leading: 2 | 3): number {
  const text = amountMinor.toString();
  const head = Number(text.slice(0, leading)) * TEN ** Math.max(0, leading - text.length);
  return text.length * TEN ** leading + head;
}

/** The smallest amount of a bucket, in minor units. */
export function bucketFloor(bucket: number, leading: 2 | 3): number {
  const unit = TEN ** leading;
  const digits = Math.floor(bucket / unit);
  return Math.floor((bucket % unit) * TEN ** (digits - leading));
}

/** The histogram with one amount more. */
export function countAmount(histogram: AmountHistogram, bucket: number, by = 1): AmountHistogram {
  const index = lowerBound(histogram, bucket);
  const found = histogram[index];
  if (found?.[0] === bucket) return histogram.with(index, [bucket, found[1] + by]);
  return histogram.toSpliced(index, 0, [bucket, by]);
}

/** The first index whose bucket is not below `bucket`. */
export function lowerBound(histogram: AmountHistogram, bucket: number): number {
  let low = 0;
  let high = histogram.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((histogram[middle]?.[0] ?? 0) < bucket) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Median and median absolute deviation, in minor units. */
export interface Spread {
  readonly median: number;
  readonly mad: number;
}

/**
 * Median and MAD of the counted amounts, each bucket standing for its floor. The lower median of an even number, so
 * that both are amounts of some bucket. Null for an empty histogram.
 */
export function spreadOf(histogram: AmountHistogram, leading: 2 | 3): Spread | null {
  let total = 0;
  for (let at = 0; at < histogram.length; at += 1) total += histogram[at]?.[1] ?? 0;
  if (total === 0) return null;
  const half = Math.ceil(total / 2);
  let index = 0;
  let seen = histogram[0]?.[1] ?? 0;
  while (seen < half) {
    index += 1;
    seen += histogram[index]?.[1] ?? 0;
  }
  const median = floorAt(histogram, index, leading);
  // The buckets on both sides, the nearer first, until half of the amounts lie within the distance.
  let within = histogram[index]?.[1] ?? 0;
  let below = index - 1;
  let above = index + 1;
  let mad = 0;
  while (within < half) {
    const down = below >= 0 ? median - floorAt(histogram, below, leading) : Number.POSITIVE_INFINITY;
    const up = above < histogram.length ? floorAt(histogram, above, leading) - median : Number.POSITIVE_INFINITY;
    mad = Math.min(down, up);
    if (down <= up) {
      within += histogram[below]?.[1] ?? 0;
      below -= 1;
    } else {
      within += histogram[above]?.[1] ?? 0;
      above += 1;
    }
  }
  return { median, mad };
}

function floorAt(histogram: AmountHistogram, index: number, leading: 2 | 3): number {
  return bucketFloor(histogram[index]?.[0] ?? 0, leading);
}
