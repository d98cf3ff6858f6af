import type { AccountOwner } from '../db/account-owners.ts';
import { countTowardsLimits, readUsage } from '../db/account-state.ts';
import type { Tx } from '../db/sql.ts';
import { displayExponent, type TransactionRow } from '../db/transactions.ts';
import { addUsage, type LimitUsage, limitGroupOf, limitHit } from '../domain/limits.ts';
import { formatAmount } from '../domain/money.ts';
import type { Micros } from '../domain/time.ts';
import type { TransactionType } from '../domain/transaction.ts';
import type { ExceededLimit } from '../domain/transaction-view.ts';
import type { TransactionSettings } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';

/**
 * What a customer may move. Everything that settled or may still settle counts, in the base currency, from the moment it
 * is let in; what is rejected counts no more. Imported rows have no limits. All of it under the account's lock.
 */
export function createTransactionLimits({ limits }: Pick<ActivityDeps, 'limits'>) {
  /** The limit that stands in the way; an amount that nobody knows yet is asked about when somebody does. */
  function exceeded(
    owner: Pick<AccountOwner, 'tier'>,
    usage: LimitUsage,
    asked: { type: TransactionType; amount: bigint | null; now: Micros; currency: string },
  ): ExceededLimit | null {
    const { type, amount, now, currency } = asked;
    if (amount === null) return null;
    const group = limitGroupOf(type);
    const hit = limitHit(limits[owner.tier][group], usage, group, { now, amount });
    if (hit === null) return null;
    const show = (minor: bigint) => formatAmount(minor, displayExponent(currency));
    return { group, window: hit.window, limit: show(hit.limit), left: show(hit.left), currency };
  }

  /** The usage without what an open transaction counts for. */
  const without = (usage: LimitUsage, row: TransactionRow, now: Micros) =>
    addUsage(usage, limitGroupOf(row.type), { at: Number(row.t_micros), now, amount: -BigInt(row.base_amount ?? 0) });

  return {
    exceeded,

    /** Asks again for a transaction that was let in, beside everything else of its account. */
    async exceededNow(
      tx: Tx,
      row: TransactionRow,
      owner: AccountOwner,
      amount: bigint | null,
    ): Promise<ExceededLimit | null> {
      if (row.virtual !== null) return null;
      const { usage, now } = await readUsage(tx, row.account_id);
      const { baseCurrency: currency } = row.settings as TransactionSettings;
      return exceeded(owner, without(usage, row, now), { type: row.type, amount, now, currency });
    },

    /** Counts an open transaction with another amount than before: none where it was rejected. */
    async recount(tx: Tx, row: TransactionRow, amount: bigint): Promise<void> {
      if (row.virtual !== null) return;
      await countTowardsLimits(tx, row.account_id, {
        type: row.type,
        at: Number(row.t_micros),
        amount: amount - BigInt(row.base_amount ?? 0),
      });
    },
  };
}

export type TransactionLimits = ReturnType<typeof createTransactionLimits>;
