import type { Micros } from '../time.ts';
import { MICROS_PER_DAY, utcDay } from '../time.ts';
import type { TransactionType } from '../transaction.ts';
import { type AccountState, emptyAccount, settleOnAccount } from './account-state.ts';
import { bucketOf } from './amount-histogram.ts';
import { type CounterpartyState, emptyCounterparty, LABEL_DELAY_DAYS } from './counterparty-state.ts';
import {
  afterDecision,
  applyLabel,
  type FeatureTransaction,
  fold,
  isOwnAnomaly,
  type TransactionFeatures,
} from './features.ts';
import { emptyPopulation, foldDay, POPULATION_DIGITS, type Population, preparePopulation } from './population.ts';
import { createTimeline } from './timeline.ts';

/** One recorded transaction and what became of it. */
export interface HistoryRow extends FeatureTransaction {
  /** When it settled: at its own time for one that went through at once; null for one that never did. */
  readonly settledAt: Micros | null;
  /** When it was confirmed to be a fraud; null for one that never was. At the earliest its own time. */
  readonly fraudKnownAt: Micros | null;
  /** Whether its owner was asked to confirm it, so that it counts for no split order. */
  readonly isConfirmed: boolean;
}

/** When a label of recorded data counts as known, where the data does not say it. */
export const LABEL_DELAY: Micros = LABEL_DELAY_DAYS * MICROS_PER_DAY;

/**
 * Recorded transactions, folded one after the other by the code that live decisions use. Labels and settlements reach
 * the states when they became known and not before. Memory grows with accounts and counterparties, not with rows.
 */
export function createHistory() {
  const accounts = new Map<string, AccountState>();
  const counterparties = new Map<string, CounterpartyState>();
  const timeline = createTimeline<HistoryEvent>();
  const days = createPopulationDays();

  function apply(event: HistoryEvent): void {
    const { row } = event;
    const account = accounts.get(row.account) ?? emptyAccount();
    if (event.kind === 'settled') {
      accounts.set(row.account, settleOnAccount(account, row));
      days.addClean(row);
      return;
    }
    const counterparty =
      row.counterparty === null ? null : (counterparties.get(row.counterparty) ?? emptyCounterparty());
    const label = { paidAt: row.at, knownAt: event.at, ownAnomaly: event.ownAnomaly, by: 1 as const };
    const states = applyLabel({ account, counterparty }, label);
    accounts.set(row.account, states.account);
    for (const { days: duration } of states.ended) days.addRun(utcDay(event.at), duration);
    if (row.counterparty !== null && states.counterparty !== null)
      counterparties.set(row.counterparty, states.counterparty);
    if (row.settledAt !== null) days.removeFraud(row);
  }

  return {
    /**
     * The features of the next transaction, as a live decision at its time would have had them.
     * @throws RangeError when it is older than the one before
     */
    observe(row: HistoryRow): TransactionFeatures {
      for (const event of timeline.until(row.at)) apply(event);
      const states = {
        account: accounts.get(row.account) ?? emptyAccount(),
        counterparty: row.counterparty === null ? null : (counterparties.get(row.counterparty) ?? emptyCounterparty()),
        population: days.asOf(utcDay(row.at)),
      };
      const folded = fold(states, row);
      accounts.set(row.account, afterDecision(folded.account, row, row.isConfirmed));
      if (row.counterparty !== null && folded.counterparty !== null) {
        counterparties.set(row.counterparty, folded.counterparty);
      }
      for (const { days: duration } of folded.ended) days.addRun(utcDay(row.at), duration);
      if (row.settledAt === row.at) apply({ at: row.at, kind: 'settled', row });
      else if (row.settledAt !== null) timeline.add({ at: row.settledAt, kind: 'settled', row });
      if (row.fraudKnownAt !== null) {
        timeline.add({ at: row.fraudKnownAt, kind: 'fraud', row, ownAnomaly: isOwnAnomaly(folded.features) });
      }
      return folded.features;
    },

    /** How many accounts and counterparties have been seen. */
    get size(): { accounts: number; counterparties: number } {
      return { accounts: accounts.size, counterparties: counterparties.size };
    },
  };
}

export type History = ReturnType<typeof createHistory>;

type HistoryEvent =
  | { readonly at: Micros; readonly kind: 'settled'; readonly row: HistoryRow }
  | { readonly at: Micros; readonly kind: 'fraud'; readonly row: HistoryRow; readonly ownAnomaly: boolean };

/** The population, renewed at each new UTC day from the days whose outcome is known by then. */
function createPopulationDays() {
  let state = emptyPopulation();
  let prepared: Population = preparePopulation(state);
  let today = Number.NEGATIVE_INFINITY;
  let runs: Array<{ readonly seenOn: number; readonly days: number }> = [];
  const pending = new Map<number, Map<TransactionType, Map<number, number>>>();

  function change(row: HistoryRow, by: 1 | -1): void {
    if (row.amountMinor <= 0n) return;
    const day = utcDay(row.at);
    if (day <= state.throughDay) return;
    const types = pending.get(day) ?? new Map<TransactionType, Map<number, number>>();
    const buckets = types.get(row.type) ?? new Map<number, number>();
    pending.set(day, types);
    types.set(row.type, buckets);
    const bucket = bucketOf(row.amountMinor, POPULATION_DIGITS);
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + by);
  }

  return {
    addClean: (row: HistoryRow) => change(row, 1),
    removeFraud: (row: HistoryRow) => change(row, -1),
    addRun: (seenOn: number, days: number) => {
      runs.push({ seenOn, days });
    },
    asOf(day: number): Population {
      if (day === today) return prepared;
      today = day;
      const through = day - LABEL_DELAY_DAYS - 1;
      for (const [known, types] of [...pending].filter(([known]) => known <= through).toSorted(([a], [b]) => a - b)) {
        const clean = Object.fromEntries(
          [...types].map(([type, buckets]) => [
            type,
            [...buckets].filter(([, count]) => count > 0).toSorted(([a], [b]) => a - b),
          ]),
        );
        state = foldDay(state, { day: known, clean, endedRuns: [] });
        pending.delete(known);
      }
      // What was seen today is for tomorrow, as it is in the database.
      const ended = runs.filter(({ seenOn }) => seenOn < day).map(({ days }) => days);
      state = foldDay(state, { day: through, clean: {}, endedRuns: ended });
      runs = runs.filter(({ seenOn }) => seenOn >= day);
      prepared = preparePopulation(state);
      return prepared;
    },
  };
}
