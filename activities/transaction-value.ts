import { rateInForce } from '../db/exchange-rates.ts';
import type { Tx } from '../db/sql.ts';
import type { BaseValue, TransactionRow } from '../db/transactions.ts';
import { isDomainError } from '../domain/errors.ts';
import { type Valuation, valueInBase } from '../domain/exchange.ts';
import type { TransactionSettings } from '../workflows/contract.ts';

/** The oldest rate that decides by itself. A run from before there were rates finds every one too old, and is held. */
export function rateMaxAgeMs({ rateMaxAgeMs: given }: TransactionSettings): number {
  return given ?? 0;
}

/**
 * What an amount is in the base currency at the rate in force now; of an imported row, at its own time. Only another
 * currency than the base costs a look-up.
 */
export async function valueNow(
  tx: Tx,
  given: { amount: bigint; currency: string; virtual: TransactionRow['virtual'] },
  settings: TransactionSettings,
): Promise<Valuation | 'amount_too_large'> {
  const { amount, currency } = given;
  const { baseCurrency } = settings;
  const found =
    currency === baseCurrency
      ? undefined
      : await rateInForce(tx, { baseCurrency, currency }, given.virtual?.at ?? null);
  try {
    return valueInBase(amount, currency, found, { baseCurrency, maxAgeMs: rateMaxAgeMs(settings) });
  } catch (error) {
    if (isDomainError(error) && error.code === 'amount_too_large') return 'amount_too_large';
    throw error;
  }
}

/** The valuation as a row keeps it. */
export function storedValue({ amount, rate }: Valuation): BaseValue {
  return {
    base_amount: amount?.toString() ?? null,
    rate: rate?.rate.toString() ?? null,
    rate_at: rate?.at ?? null,
  };
}
