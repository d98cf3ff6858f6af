/** Counts of one class; not whole where clean transactions were sampled. */
export interface ClassCounts {
  /** Frauds. */
  readonly events: number;
  /** Clean transactions. */
  readonly others: number;
}

/** Added to both counts of a class, so that one without frauds has a weight of evidence ("adjusted WoE"). */
export const SMOOTHING = 0.5;

/**
 * Weight of evidence of a class: `ln((events / all events) / (others / all others))`, with {@link SMOOTHING} in both
 * counts of the class. Above 0: riskier than the whole. (Good 1950; Siddiqi 2017 with the opposite sign.)
 */
export function weightOfEvidence(part: ClassCounts, whole: ClassCounts): number {
  return Math.log((part.events + SMOOTHING) / (part.others + SMOOTHING)) - Math.log(whole.events / whole.others);
}

/**
 * Information value: the sum over the classes of the difference of shares times the weight of evidence, a symmetrised
 * Kullback-Leibler divergence. Below 0.02 a characteristic is of no use (Siddiqi 2017).
 */
export function informationValue(classes: readonly ClassCounts[]): number {
  const whole = sumOf(classes);
  return classes.reduce(
    (sum, part) => sum + (part.events / whole.events - part.others / whole.others) * weightOfEvidence(part, whole),
    0,
  );
}

/** What two classes hold together. */
export function together(a: ClassCounts, b: ClassCounts): ClassCounts {
  return { events: a.events + b.events, others: a.others + b.others };
}

export function sumOf(classes: readonly ClassCounts[]): ClassCounts {
  return classes.reduce(together, { events: 0, others: 0 });
}

/** Share of frauds; 0 for nothing. */
export function eventRate({ events, others }: ClassCounts): number {
  return events + others === 0 ? 0 : events / (events + others);
}

/** Pearson's chi-square of two classes against one: how surely they differ. One degree of freedom; 0 where one is empty. */
export function chiSquare(a: ClassCounts, b: ClassCounts): number {
  const whole = together(a, b);
  const rate = eventRate(whole);
  if (rate === 0 || rate === 1) return 0;
  return [a, b].reduce((sum, part) => {
    const size = part.events + part.others;
    return size === 0 ? sum : sum + (part.events - size * rate) ** 2 / (size * rate * (1 - rate));
  }, 0);
}
