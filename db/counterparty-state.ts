import { type CounterpartyState, type EndedRun, emptyCounterparty } from '../domain/risk/counterparty-state.ts';
import { utcDay } from '../domain/time.ts';
import { oneRow, run, type Tx } from './sql.ts';

/** Whom a payment goes to, as the states know it. Imported data has states of its own: it is somebody else's past. */
export interface CounterpartyKey {
  readonly counterparty: string;
  readonly imported: boolean;
}

/**
 * The state of a counterparty, locked until the transaction ends. After owner and accounts, in that order, and one at a
 * time: so no two decisions can wait for each other in a circle.
 */
export async function lockCounterparty(tx: Tx, key: CounterpartyKey): Promise<CounterpartyState> {
  const { state } = await oneRow<{ state: CounterpartyState | Record<string, never> }>(
    tx,
    // An update that changes nothing: it locks the row and returns it, whether it was there before or not.
    `insert into counterparty_state as c (counterparty, imported) values ($1, $2)
     on conflict (counterparty, imported) do update set state = c.state returning state`,
    [key.counterparty, key.imported],
  );
  return 'version' in state ? (state as CounterpartyState) : emptyCounterparty();
}

/** Stores the state; it must be locked. */
export async function storeCounterparty(tx: Tx, key: CounterpartyKey, state: CounterpartyState): Promise<void> {
  await run(tx, 'update counterparty_state set state = $3::jsonb where counterparty = $1 and imported = $2', [
    key.counterparty,
    key.imported,
    JSON.stringify(state),
  ]);
}

/** Records runs of frauds that a payment at `at` has shown to be over, for the population; a repeat changes nothing. */
export async function recordEndedRuns(
  tx: Tx,
  key: CounterpartyKey,
  ended: readonly EndedRun[],
  at: number,
): Promise<void> {
  if (key.imported) return;
  for (const one of ended) {
    await run(
      tx,
      `insert into fraud_run (counterparty, first_day, frauds, days, seen_on) values ($1, $2, $3, $4, $5)
       on conflict (counterparty, first_day) do nothing`,
      [key.counterparty, one.first, one.frauds, one.days, utcDay(at)],
    );
  }
}
