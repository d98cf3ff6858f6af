import { CURRENCY_EXPONENTS, formatAmount, isCurrency } from '../money.ts';
import type { Reason, ReasonValue } from './reasons.ts';
import type { FeatureUnit } from './vocabulary.ts';

/** Rules whose decisions before rule sets were data kept money as minor units in a decimal string. */
const MINOR_UNIT_RULES: ReadonlySet<string> = new Set(['amount_above_average']);
const SHOWN_DIGITS = 2;

/**
 * One reason as a sentence for a reviewer: what was found, what it was held against, what it weighs.
 * @param currency the base currency, for rules about money
 */
export function explainReason(reason: Reason, currency: string): string {
  const show = (value: ReasonValue) => shown(value, reason, currency);
  const against = [
    ...(reason.baseline === null ? [] : [`usual: ${show(reason.baseline)}`]),
    ...(reason.threshold === null ? [] : [`threshold: ${show(reason.threshold)}`]),
  ];
  const context = against.length === 0 ? '' : ` (${against.join(', ')})`;
  const sign = reason.points < 0 ? '-' : '+';
  return `${reason.title}: ${show(reason.value)}${context}, ${sign}${(Math.abs(reason.points) / 100).toFixed(2)}`;
}

function shown(value: ReasonValue, { ruleId, unit }: Reason, currency: string): string {
  const exponent = isCurrency(currency) ? CURRENCY_EXPONENTS[currency] : SHOWN_DIGITS;
  if (typeof value === 'number') return `${inUnit(value, unit, exponent)}${unit === 'money' ? ` ${currency}` : ''}`;
  if (typeof value === 'string' && /^\d+$/.test(value) && MINOR_UNIT_RULES.has(ruleId) && isCurrency(currency)) {
    return `${formatAmount(BigInt(value), exponent)} ${currency}`;
  }
  return String(value);
}

function inUnit(value: number, unit: FeatureUnit | undefined, exponent: number): string {
  switch (unit) {
    case 'money':
      return value.toFixed(exponent);
    case 'share':
      return `${(value * 100).toFixed(SHOWN_DIGITS)} %`;
    case 'days':
      return `${Number(value.toFixed(1))} days`;
    case 'hours':
      return `${Number(value.toFixed(1))} h`;
    case 'ratio':
      return `${Number(value.toFixed(SHOWN_DIGITS))}x`;
    default:
      return String(Number(value.toFixed(SHOWN_DIGITS)));
  }
}
