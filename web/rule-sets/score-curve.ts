/** How many frauds and clean ones had each score, 0 to 100. */
export interface Counts {
  readonly fraud: readonly number[];
  readonly clean: readonly number[];
}

/** What holding above a score would come to. Shares are null where nothing can be divided. */
export interface At {
  /** 0 to 1. */
  readonly above: number;
  readonly flagged: number;
  readonly frauds: number;
  readonly falseAlarms: number;
  readonly precision: number | null;
  readonly recall: number | null;
}

const LEVELS = 101;

/** Every threshold, the strictest first: flagged are scores above it. */
export function curveOf({ fraud, clean }: Counts): At[] {
  const all = fraud.reduce((sum, count) => sum + count, 0);
  const curve: At[] = [];
  let [frauds, falseAlarms] = [0, 0];
  for (let score = LEVELS - 1; score >= 0; score -= 1) {
    const flagged = frauds + falseAlarms;
    curve.push({
      ...{ above: score / 100, flagged, frauds, falseAlarms },
      precision: flagged === 0 ? null : frauds / flagged,
      recall: all === 0 ? null : frauds / all,
    });
    frauds += fraud[score] ?? 0;
    falseAlarms += clean[score] ?? 0;
  }
  return curve;
}

/** Precision by recall, one point for each recall there is: the best precision at it. */
export function precisionByRecall(counts: Counts): ReadonlyMap<number, number> {
  const best = new Map<number, number>();
  for (const { precision, recall } of curveOf(counts)) {
    if (precision === null || recall === null) continue;
    best.set(recall, Math.max(precision, best.get(recall) ?? 0));
  }
  return best;
}

/** Counts of scores in steps of 0.05, as shares of all of them. */
export function histogramOf(counts: readonly number[]): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return Array.from({ length: 21 }, (_, bin) => {
    const within = counts.slice(bin * 5, bin * 5 + 5).reduce((sum, count) => sum + count, 0);
    return all === 0 ? 0 : within / all;
  });
}
