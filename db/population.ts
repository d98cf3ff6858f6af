import { LABEL_DELAY_DAYS } from '../domain/risk/counterparty-state.ts';
import { emptyPopulation, foldDay, POPULATION_DIGITS, type PopulationState } from '../domain/risk/population.ts';
import type { TransactionType } from '../domain/transaction.ts';
import { oneRow, row, rows, run, type Tx } from './sql.ts';

/** The newest population and the day it was made for; an empty one before the first. */
export async function readPopulation(tx: Tx): Promise<{ day: number; state: PopulationState }> {
  const found = await row<{ day: number; state: PopulationState }>(
    tx,
    'select day, state from risk_population order by day desc limit 1',
  );
  return found ?? { day: 0, state: emptyPopulation() };
}

/** The bucket of `amount-histogram.ts`, of the column's digits. */
const BUCKET = (amount: string) =>
  `length(${amount}::text) * ${10 ** POPULATION_DIGITS} + rpad(left(${amount}::text, ${POPULATION_DIGITS}), ${POPULATION_DIGITS}, '0')::integer`;

/**
 * Makes the population of the present UTC day (database time): folds into the last one the days whose outcome has become
 * known since. What settled later than that, or was confirmed a fraud later, stays as it was counted. Safe to repeat, and
 * to run twice at once.
 *
 * @returns the day, and how many payments were added; 0 when it was there already
 */
export async function renewPopulation(tx: Tx): Promise<{ day: number; added: number }> {
  await run(tx, `select pg_advisory_xact_lock(hashtext('tradeguard.population'))`);
  const { today } = await oneRow<{ today: number }>(
    tx,
    'select floor(extract(epoch from clock_timestamp()) / 86400)::integer as today',
  );
  const last = await readPopulation(tx);
  if (last.day >= today) return { day: last.day, added: 0 };
  const through = today - LABEL_DELAY_DAYS - 1;
  const counted = await rows<{ day: number; type: TransactionType; bucket: number; n: number }>(
    tx,
    `select floor(extract(epoch from t.t) / 86400)::integer as day, t.type, ${BUCKET('t.base_amount')} as bucket, count(*)::integer as n
       from transaction t left join fraud_mark f on f.transaction_id = t.id and f.is_fraud
      where t.t >= 'epoch'::timestamptz + ($1::bigint + 1) * interval '1 day'
        and t.t < 'epoch'::timestamptz + ($2::bigint + 1) * interval '1 day'
        and t.status = 'settled' and t.base_amount > 0 and t.virtual is null and f.transaction_id is null
      group by 1, 2, 3 order by 1, 2, 3`,
    [last.state.throughDay, through],
  );
  const ended = await rows<{ days: number }>(
    tx,
    'select days from fraud_run where seen_on >= $1 and seen_on < $2 order by seen_on, counterparty, first_day',
    [last.day, today],
  );
  let state = last.state;
  for (const { type, bucket, n, day } of counted) {
    state = foldDay(state, { day, clean: { [type]: [[bucket, n]] }, endedRuns: [] });
  }
  state = foldDay(state, { day: through, clean: {}, endedRuns: ended.map(({ days }) => days) });
  await run(tx, 'insert into risk_population (day, state) values ($1, $2::jsonb)', [today, JSON.stringify(state)]);
  return { day: today, added: counted.reduce((sum, { n }) => sum + n, 0) };
}
