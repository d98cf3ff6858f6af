/** Quantiles of counts over slots of time, the slots without any included. By nearest rank. */
export interface RateSummary {
  readonly slots: number;
  readonly total: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * Counts events by slot of time (an hour, a day: whole numbers). Only slots with events take memory; those without
 * count as zeros between `first` and `last`.
 */
export function createRateCounts() {
  const counts = new Map<number, number>();
  return {
    add(slot: number): void {
      counts.set(slot, (counts.get(slot) ?? 0) + 1);
    },

    /** The slots with events, ascending. */
    entries(): Array<readonly [slot: number, count: number]> {
      return [...counts].toSorted(([a], [b]) => a - b);
    },

    /**
     * Of the slots from `first` to `last`, both included.
     * @returns zeros where `last` is before `first`
     */
    summary(first: number, last: number): RateSummary {
      const slots = Math.max(0, last - first + 1);
      const ascending = [...counts.values()].toSorted((a, b) => a - b);
      const zeros = Math.max(0, slots - ascending.length);
      const total = ascending.reduce((sum, count) => sum + count, 0);
      const quantile = (share: number) => {
        const rank = Math.max(1, Math.ceil(share * slots));
        return rank <= zeros ? 0 : (ascending[rank - zeros - 1] ?? 0);
      };
      return {
        slots,
        total,
        mean: slots === 0 ? 0 : total / slots,
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        max: ascending.at(-1) ?? 0,
      };
    },
  };
}

export type RateCounts = ReturnType<typeof createRateCounts>;
