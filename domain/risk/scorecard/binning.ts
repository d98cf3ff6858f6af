import { type ClassCounts, chiSquare, eventRate, sumOf, together, weightOfEvidence } from './woe.ts';

/** Values of one characteristic over the sample; NaN where it is unknown. All arrays are of one length. */
export interface LabelledValues {
  readonly values: Float64Array;
  /** 1 for a fraud. */
  readonly labels: Uint8Array;
  /** How many transactions a sampled one stands for. */
  readonly weights: Float64Array;
}

/** Classes of a characteristic: `cuts` ascending; class 0 is up to the first cut, class i above cut i - 1. */
export interface Classing {
  readonly cuts: readonly number[];
  /** One more than cuts. */
  readonly classes: readonly ClassCounts[];
  readonly unknown: ClassCounts;
}

/** Fine classes: so many quantiles of the frauds, and as many of the clean ones. */
const FINE_QUANTILES = 25;
/** A class holds at least one of 2,000 transactions: what is rarer is no habit that a card should know. */
const MIN_SHARE = 0.0005;
/** ... and so many frauds, or so many that were to be expected and did not occur. */
export const MIN_EVENTS = 5;
/** Neighbours stay apart where they differ at 5 % (chi-square with one degree of freedom). */
const MIN_CHI_SQUARE = 3.841;
const MAX_CLASSES = 6;

interface FineClass extends ClassCounts {
  /** Least and largest value. */
  readonly low: number;
  readonly high: number;
}

/**
 * Classes along which risk moves one way only. Fine classes at quantiles of frauds and of clean transactions (frauds are
 * too rare for quantiles of all), pooled by adjacent violators (Ayer et al. 1955), merged while one is too small, then
 * while two neighbours do not differ or there are too many (ChiMerge, Kerber 1992).
 *
 * @param risk which way it moves
 */
export function classify(sample: LabelledValues, risk: 'rises' | 'falls'): Classing {
  const { known, unknown } = fineClasses(sample);
  const whole = together(sumOf(known), unknown);
  const isInOrder = (a: ClassCounts, b: ClassCounts, of: (part: ClassCounts) => number) =>
    risk === 'rises' ? of(a) <= of(b) : of(a) >= of(b);
  let classes = pool(known, (a, b) => isInOrder(a, b, eventRate));
  classes = mergeSmall(classes, whole);
  classes = mergeAlike(classes);
  // Smoothing can turn the order of two classes with next to no frauds.
  classes = pool(classes, (a, b) => isInOrder(a, b, (part) => weightOfEvidence(part, whole)));
  const cuts = classes.slice(1).map((part, index) => shortestBetween((classes[index] as FineClass).high, part.low));
  return { cuts, classes: classes.map(({ events, others }) => ({ events, others })), unknown };
}

/** Which class a value falls into; -1 for NaN. */
export function classOf(cuts: readonly number[], value: number): number {
  if (Number.isNaN(value)) return -1;
  let index = 0;
  while (index < cuts.length && value > (cuts[index] as number)) index += 1;
  return index;
}

function fineClasses({ values, labels, weights }: LabelledValues): {
  known: FineClass[];
  unknown: ClassCounts;
} {
  const unknown = { events: 0, others: 0 };
  const order: number[] = [];
  const totals = { events: 0, others: 0 };
  for (let row = 0; row < values.length; row += 1) {
    const kind = labels[row] === 1 ? 'events' : 'others';
    if (Number.isNaN(values[row])) unknown[kind] += weights[row] as number;
    else {
      totals[kind] += weights[row] as number;
      order.push(row);
    }
  }
  order.sort((a, b) => (values[a] as number) - (values[b] as number));
  const known: FineClass[] = [];
  let open: { -readonly [K in keyof FineClass]: FineClass[K] } | undefined;
  const passed = { events: 0, others: 0 };
  let quantile = '';
  for (const row of order) {
    const value = values[row] as number;
    // A class ends where a quantile of either kind is passed, and never within equal values.
    if (open !== undefined && value > open.high) {
      const now = `${quantileOf(passed.events, totals.events)}/${quantileOf(passed.others, totals.others)}`;
      if (now !== quantile) {
        known.push(open);
        open = undefined;
        quantile = now;
      }
    }
    open ??= { events: 0, others: 0, low: value, high: value };
    open.high = value;
    const kind = labels[row] === 1 ? 'events' : 'others';
    open[kind] += weights[row] as number;
    passed[kind] += weights[row] as number;
  }
  if (open !== undefined) known.push(open);
  return { known, unknown };
}

function quantileOf(passed: number, total: number): number {
  return total === 0 ? 0 : Math.floor((passed / total) * FINE_QUANTILES);
}

function join(a: FineClass, b: FineClass): FineClass {
  return { ...together(a, b), low: a.low, high: b.high };
}

/** Pools neighbours until every pair is in order. */
function pool(classes: readonly FineClass[], isInOrder: (a: FineClass, b: FineClass) => boolean): FineClass[] {
  const pooled: FineClass[] = [];
  for (const next of classes) {
    let last = next;
    for (let before = pooled.at(-1); before !== undefined && !isInOrder(before, last); before = pooled.at(-1)) {
      pooled.pop();
      last = join(before, last);
    }
    pooled.push(last);
  }
  return pooled;
}

function mergeSmall(given: readonly FineClass[], whole: ClassCounts): FineClass[] {
  let classes = [...given];
  const size = whole.events + whole.others;
  const rate = eventRate(whole);
  const isSmall = (part: FineClass) => {
    const rows = part.events + part.others;
    return rows < size * MIN_SHARE || Math.max(part.events, rows * rate) < MIN_EVENTS;
  };
  for (let index = classes.findIndex(isSmall); index >= 0 && classes.length > 1; index = classes.findIndex(isSmall)) {
    const [before, small, after] = [classes[index - 1], classes[index] as FineClass, classes[index + 1]];
    const toBefore = before === undefined ? Number.POSITIVE_INFINITY : chiSquare(before, small);
    const toAfter = after === undefined ? Number.POSITIVE_INFINITY : chiSquare(small, after);
    classes = mergeAt(classes, toBefore <= toAfter ? index - 1 : index);
  }
  return classes;
}

function mergeAlike(given: readonly FineClass[]): FineClass[] {
  let classes = [...given];
  while (classes.length > 1) {
    const differences = classes.slice(1).map((part, index) => chiSquare(classes[index] as FineClass, part));
    const least = Math.min(...differences);
    if (least >= MIN_CHI_SQUARE && classes.length <= MAX_CLASSES) break;
    classes = mergeAt(classes, differences.indexOf(least));
  }
  return classes;
}

function mergeAt(classes: readonly FineClass[], index: number): FineClass[] {
  return classes.toSpliced(index, 2, join(classes[index] as FineClass, classes[index + 1] as FineClass));
}

/**
 * The number of the fewest digits that parts the two: not below `low`, and below `high`. People read 3.1 where the data
 * says 3.0893.
 */
export function shortestBetween(low: number, high: number): number {
  const middle = low + (high - low) / 2;
  for (let digits = 1; digits <= 17; digits += 1) {
    const rounded = Number(middle.toPrecision(digits));
    if (rounded >= low && rounded < high) return rounded;
  }
  return low;
}
