import type { Micros } from '../time.ts';
import type { TransactionType } from '../transaction.ts';
import { ACCOUNT_DIGITS, type AccountState, type DayBucket, emptyAccount, type TypeHistory } from './account-state.ts';
import { type AmountHistogram, bucketOf, countAmount } from './amount-histogram.ts';

/** The state as versions before rule sets were data stored it. */
export interface AccountStateV1 {
  readonly version: 1;
  readonly lastAt: Micros;
  readonly recent: readonly Micros[];
  readonly settled: Readonly<Partial<Record<TransactionType, readonly DayBucket[]>>>;
  readonly priorCount: number;
  readonly categories: AccountState['categories'];
}

/**
 * A stored state as this version reads it. What version 1 did not keep begins empty; its 90 days stand for the life of
 * the account, and each of their days' mean for the amounts of the day.
 */
export function upgradeAccount(stored: AccountState | AccountStateV1 | Record<string, never>): AccountState {
  if (!('version' in stored)) return emptyAccount();
  if (stored.version === 2) return stored as AccountState;
  const { lastAt, recent, settled, priorCount, categories } = stored as AccountStateV1;
  const types = Object.fromEntries(
    (Object.entries(settled) as [TransactionType, readonly DayBucket[]][]).map(([type, buckets]) => [
      type,
      historyFrom(buckets),
    ]),
  );
  return { ...emptyAccount(), lastAt, recent, types, priorCount, categories };
}

function historyFrom(buckets: readonly DayBucket[]): TypeHistory {
  const count = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const sumMinor = buckets.reduce((sum, bucket) => sum + BigInt(bucket.sumMinor), 0n).toString();
  const amounts = buckets.reduce<AmountHistogram>((histogram, bucket) => {
    const mean = BigInt(bucket.sumMinor) / BigInt(bucket.count);
    return mean > 0n ? countAmount(histogram, bucketOf(mean, ACCOUNT_DIGITS), bucket.count) : histogram;
  }, []);
  return { buckets, count, sumMinor, lifeCount: count, lifeSumMinor: sumMinor, amounts };
}
