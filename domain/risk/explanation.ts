import { CURRENCY_EXPONENTS, formatAmount, isCurrency } from '../money.ts';
import type { Reason, ReasonValue } from './reasons.ts';

/** Rules whose values are money in minor units. */
const MONEY_RULES: ReadonlySet<string> = new Set(['amount_above_average']);

/**
 * One reason as a sentence for a reviewer: what was found, what it was held against, what it weighs.
 * @param currency of the transaction, for rules about money
 */
export function explainReason(reason: Reason, currency: string): string {
  const show = (value: ReasonValue): string => {
    if (typeof value === 'string' && /^\d+$/.test(value) && MONEY_RULES.has(reason.ruleId) && isCurrency(currency)) {
      return `${formatAmount(BigInt(value), CURRENCY_EXPONENTS[currency])} ${currency}`;
    }
    return String(value);
  };
  const against = [
    ...(reason.baseline === null ? [] : [`usual: ${show(reason.baseline)}`]),
    ...(reason.threshold === null ? [] : [`threshold: ${show(reason.threshold)}`]),
  ];
  const context = against.length === 0 ? '' : ` (${against.join(', ')})`;
  return `${reason.title}: ${show(reason.value)}${context}, +${(reason.points / 100).toFixed(2)}`;
}
