import type { BacktestRow } from '../domain/risk/backtest.ts';
import { LABEL_DELAY_DAYS } from '../domain/risk/counterparty-state.ts';
import { type Access, NEVER_HOURS, NO_ACCESS } from '../domain/risk/features.ts';
import { LABEL_DELAY } from '../domain/risk/history.ts';
import type { KnownOutcome } from '../domain/risk/rule-set-tally.ts';
import { MICROS_PER_HOUR, type Micros } from '../domain/time.ts';
import type { TransactionType } from '../domain/transaction.ts';
import { oneRow, rows, run, type Tx } from './sql.ts';

/** Which recorded transactions are read. */
export interface RecordedQuery {
  /** What replays have imported, or what was live; never both: neither is the other's past. */
  readonly imported: boolean;
  /** Only those before it; null for all. */
  readonly before: Micros | null;
  /** Fraction digits of the base currency, which amounts are recorded in. */
  readonly exponent: number;
}

const PAGE = 5_000;
const ISOLATION = 'set transaction isolation level repeatable read, read only';

/** What is known of transactions: the latest label counts. */
const LABELS = `
  select distinct on (transaction_id) transaction_id, label, known_at
    from transaction_label order by transaction_id, id desc`;

const RECORDED = `
  from transaction t left join (${LABELS}) l on l.transaction_id = t.id
 where (t.virtual is not null) = $1 and t.t < coalesce('epoch'::timestamptz + $2::bigint * interval '1 microsecond', 'infinity')
   and not coalesce((t.virtual->>'outsideFeatures')::boolean, false)`;

/** As the decision took it: in the base currency, and nothing where no rate was known. */
const BASE_AMOUNT = `coalesce(t.base_amount,
  case when t.currency = coalesce(t.settings->>'baseCurrency', t.currency) then t.amount end, 0)`;

const MICROS = (time: string) => `(extract(epoch from ${time}) * 1000000)::bigint`;

interface RecordedRow {
  id: string;
  type: TransactionType;
  amount: string;
  account_id: string;
  category: string;
  counterparty: string | null;
  instrument_id: string | null;
  ip: string | null;
  at: string;
  settled_at: string | null;
  at_once: boolean;
  confirmed: boolean;
  label: 'confirmed_fraud' | 'false_positive' | 'inconclusive' | null;
  known_at: string | null;
  ripe: boolean;
  login_risk: number | null;
  change_hours: number | null;
}

/**
 * Recorded transactions in the order of their own times, from the first one on, with what became of them and what is known
 * of them now: one snapshot of the database, through a cursor. How its owner came in is what the decision recorded.
 *
 * An imported transaction settled at its own time, and its label is known {@link LABEL_DELAY} later: when the import
 * recorded it says nothing.
 *
 * @param tx outside of a transaction; it has one until the rows are read or left
 */
export async function* readRecorded(tx: Tx, query: RecordedQuery): AsyncGenerator<BacktestRow[]> {
  await tx.begin();
  try {
    await run(tx, ISOLATION);
    await run(
      tx,
      `declare recorded no scroll cursor for
       select t.id, t.type, ${BASE_AMOUNT}::text as amount, t.account_id, t.category, t.counterparty, t.instrument_id, host(t.ip) as ip,
              ${MICROS('t.t')}::text as at,
              case when t.status = 'settled' then ${MICROS('greatest(t.t, t.finished_at)')}::text end as settled_at,
              t.step_up_expires_at is null and t.held_at is null and t.payment_expires_at is null as at_once,
              t.step_up_expires_at is not null as confirmed,
              l.label, ${MICROS('greatest(t.t, l.known_at)')}::text as known_at,
              t.status = 'settled' and (t.virtual is not null or t.t < clock_timestamp() - make_interval(days => ${LABEL_DELAY_DAYS})) as ripe,
              (t.features->>'login_risk')::float8 as login_risk,
              (t.features->>'hours_since_access_change')::float8 as change_hours
       ${RECORDED} order by t.t, t.id`,
      parameters(query),
    );
    for (;;) {
      const page = await rows<RecordedRow>(tx, `fetch ${PAGE} from recorded`);
      if (page.length === 0) return;
      yield page.map((row) => toRow(row, query));
    }
  } finally {
    await tx.rollback();
  }
}

/** How many {@link readRecorded} will read. */
export async function countRecorded(tx: Tx, query: RecordedQuery): Promise<number> {
  const { n } = await oneRow<{ n: string }>(tx, `select count(*)::text as n ${RECORDED}`, parameters(query));
  return Number(n);
}

function parameters({ imported, before }: RecordedQuery): readonly unknown[] {
  return [imported, before === null ? null : String(before)];
}

function toRow(row: RecordedRow, { imported, exponent }: RecordedQuery): BacktestRow {
  const at = Number(row.at);
  const settledAt = row.settled_at === null ? null : imported || row.at_once ? at : Number(row.settled_at);
  const knownAt = imported ? at + LABEL_DELAY : Number(row.known_at);
  return {
    id: row.id,
    outcome: outcomeOf(row),
    scenario: null,
    transaction: {
      at,
      type: row.type,
      amountMinor: BigInt(row.amount),
      exponent,
      account: row.account_id,
      category: row.category,
      counterparty: row.counterparty,
      instrument: row.instrument_id,
      ip: row.ip,
      access: accessOf(row, at),
      settledAt,
      fraudKnownAt: row.label === 'confirmed_fraud' ? knownAt : null,
      isConfirmed: row.confirmed,
    },
  };
}

/** What settled and nobody reported in time counts as clean, as it does for the rules. */
function outcomeOf({ label, ripe }: RecordedRow): KnownOutcome {
  if (label === 'confirmed_fraud') return 'fraud';
  if (label === 'false_positive' || (label === null && ripe)) return 'clean';
  return 'unknown';
}

/** As the decision saw it; decisions from before the rules could ask have nothing recorded. */
function accessOf({ login_risk, change_hours }: RecordedRow, at: Micros): Access {
  if (login_risk === null) return NO_ACCESS;
  const isKnown = change_hours !== null && change_hours < NEVER_HOURS;
  return {
    loginRisk: login_risk,
    // The recorded risk has faded already.
    loginAt: null,
    changedAt: isKnown ? at - Math.round(change_hours * MICROS_PER_HOUR) : null,
  };
}
