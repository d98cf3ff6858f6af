import { addUsage, emptyUsage, type LimitUsage, limitGroupOf } from '../domain/limits.ts';
import type { AccountState } from '../domain/risk/account-state.ts';
import { type AccountStateV1, upgradeAccount } from '../domain/risk/account-state-upgrade.ts';
import { type Micros, microsToMillis } from '../domain/time.ts';
import type { TransactionType } from '../domain/transaction.ts';
import { oneRow, run, type Tx } from './sql.ts';

/** An account's past, and the moment a transaction recorded now happens at. */
export interface AccountMoment {
  features: AccountState;
  /** What counts towards its limits. */
  usage: LimitUsage;
  /** The transaction's own time: after the account's latest one, else the clock (or the imported row's time). */
  t: { micros: Micros; text: string };
  /** The database's clock. */
  now: { ms: number; text: string };
}

type Stored = AccountState | AccountStateV1 | Record<string, never>;

/**
 * Reads an account's features and gives a transaction its time. The account must be locked: a time taken before the lock
 * is had would let 20 parallel requests be counted as fewer.
 *
 * @param virtualAt RFC 3339; only of imported rows
 */
export async function readMoment(tx: Tx, accountId: string, virtualAt: string | null): Promise<AccountMoment> {
  const found = await oneRow<{
    features: Stored;
    limit_usage: LimitUsage | Record<string, never>;
    t: string;
    t_micros: string;
    now: string;
    now_micros: string;
  }>(
    tx,
    `select features, limit_usage, t::text, (extract(epoch from t) * 1000000)::bigint as t_micros, now::text,
            (extract(epoch from now) * 1000000)::bigint as now_micros
       from account_state,
            lateral (select clock_timestamp() as now) as clock,
            lateral (select greatest(coalesce($2::timestamptz, now), last_t + interval '1 microsecond') as t) as moment
      where account_id = $1`,
    [accountId, virtualAt],
  );
  return {
    features: upgradeAccount(found.features),
    usage: isState(found.limit_usage) ? found.limit_usage : emptyUsage(),
    t: { micros: Number(found.t_micros), text: found.t },
    now: { ms: microsToMillis(Number(found.now_micros)), text: found.now },
  };
}

/** The features alone. */
export async function readFeatures(tx: Tx, accountId: string): Promise<AccountState> {
  const { features } = await oneRow<{ features: Stored }>(
    tx,
    'select features from account_state where account_id = $1',
    [accountId],
  );
  return upgradeAccount(features);
}

/** What counts towards an account's limits, and the database's clock. The account is locked. */
export async function readUsage(tx: Tx, accountId: string): Promise<{ usage: LimitUsage; now: Micros }> {
  const found = await oneRow<{ limit_usage: LimitUsage | Record<string, never>; now_micros: string }>(
    tx,
    `select limit_usage, (extract(epoch from clock_timestamp()) * 1000000)::bigint as now_micros
       from account_state where account_id = $1`,
    [accountId],
  );
  return {
    usage: isState(found.limit_usage) ? found.limit_usage : emptyUsage(),
    now: Number(found.now_micros),
  };
}

/**
 * Counts `amount` (minor units of the base currency) more towards an account's limits, at the transaction's own time; less
 * where it is negative. The account is locked.
 */
export async function countTowardsLimits(
  tx: Tx,
  accountId: string,
  { type, at, amount }: { type: TransactionType; at: Micros; amount: bigint },
): Promise<void> {
  if (amount === 0n) return;
  const { usage, now } = await readUsage(tx, accountId);
  await run(tx, 'update account_state set limit_usage = $2::jsonb where account_id = $1', [
    accountId,
    JSON.stringify(addUsage(usage, limitGroupOf(type), { at, now, amount })),
  ]);
}

/**
 * Stores what a fold made of the features; `last_t` is the time of the latest recorded transaction.
 * @param usage what counts towards the limits, where that changed with it
 */
export async function storeFeatures(
  tx: Tx,
  accountId: string,
  features: AccountState,
  usage?: LimitUsage,
): Promise<void> {
  await run(
    tx,
    `update account_state set features = $2::jsonb, limit_usage = coalesce($4::jsonb, limit_usage),
            last_t = nullif($3::bigint, 0) * interval '1 microsecond' + 'epoch'::timestamptz where account_id = $1`,
    [
      accountId,
      JSON.stringify(features),
      features.lastAt.toString(),
      usage === undefined ? null : JSON.stringify(usage),
    ],
  );
}

/** A fresh row holds `{}`. */
function isState<T extends { version: 1 }>(stored: T | Record<string, never>): stored is T {
  return 'version' in stored;
}
