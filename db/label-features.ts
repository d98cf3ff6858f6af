import { applyLabel, isOwnAnomaly, type TransactionFeatures } from '../domain/risk/features.ts';
import { microsFromMillis } from '../domain/time.ts';
import { readFeatures, storeFeatures } from './account-state.ts';
import { lockCounterparty, recordEndedRuns, storeCounterparty } from './counterparty-state.ts';
import { lockAccounts } from './ledger.ts';
import { oneRow, row, run, type Tx } from './sql.ts';

/** A label that became known: whether the transaction is a confirmed fraud, now. */
export interface KnownLabel {
  readonly transactionId: string;
  readonly isFraud: boolean;
}

/**
 * Folds a label into what is known of account and counterparty, so that the next decisions go by it. A repeat changes
 * nothing; a correction takes back what was counted. Locks the account, then the counterparty, as decisions do; the caller
 * may hold the transaction's row, which decisions of others never wait for.
 */
export async function foldLabel(tx: Tx, label: KnownLabel): Promise<void> {
  const { account_id } = await oneRow<{ account_id: string }>(tx, 'select account_id from transaction where id = $1', [
    label.transactionId,
  ]);
  await lockAccounts(tx, [account_id]);
  const counted = await row<{ is_fraud: boolean; explained: boolean }>(
    tx,
    'select is_fraud, explained from fraud_mark where transaction_id = $1',
    [label.transactionId],
  );
  if ((counted?.is_fraud ?? false) === label.isFraud) return;
  const { features, counterparty, imported, t_micros, now } = await oneRow<{
    features: TransactionFeatures;
    counterparty: string | null;
    imported: boolean;
    t_micros: string;
    now: string;
  }>(
    tx,
    `select features, counterparty, virtual is not null as imported, (extract(epoch from t) * 1000000)::bigint as t_micros,
            clock_timestamp()::text as now
       from transaction where id = $1`,
    [label.transactionId],
  );
  const key = counterparty === null ? null : { counterparty, imported };
  const account = await readFeatures(tx, account_id);
  const paidAt = Number(t_micros);
  // The clock of imported data is the account's own.
  const knownAt = imported ? Math.max(paidAt, account.lastAt) : microsFromMillis(Date.parse(now));
  const states = { account, counterparty: key === null ? null : await lockCounterparty(tx, key) };
  const known = applyLabel(states, {
    paidAt,
    knownAt,
    ownAnomaly: isOwnAnomaly(features),
    by: label.isFraud ? 1 : -1,
    ...(label.isFraud || counted === undefined ? {} : { explained: counted.explained }),
  });
  await storeFeatures(tx, account_id, known.account);
  if (key !== null && known.counterparty !== null) {
    await storeCounterparty(tx, key, known.counterparty);
    await recordEndedRuns(tx, key, known.ended, knownAt);
  }
  await run(
    tx,
    `insert into fraud_mark (transaction_id, is_fraud, explained, known_at) values ($1, $2, $3, clock_timestamp())
     on conflict (transaction_id) do update set is_fraud = excluded.is_fraud, explained = excluded.explained,
       known_at = excluded.known_at`,
    [label.transactionId, label.isFraud, known.explained],
  );
}
