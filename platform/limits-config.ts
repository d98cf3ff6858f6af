import { z } from 'zod';
import { isDomainError } from '../domain/errors.ts';
import {
  DEFAULT_LIMITS,
  type GroupLimits,
  LIMIT_GROUPS,
  LIMIT_WINDOWS,
  type LimitGroup,
  type LimitTable,
  limitsInMinor,
  TIERS,
  type Tier,
} from '../domain/limits.ts';
import { CURRENCY_EXPONENTS, isCurrency } from '../domain/money.ts';
import { decimal, text } from './config-values.ts';

const LIMITS_EXAMPLE = '{"basic": {"money_out": {"rolling_24h": "2500.00"}}}';
const givenLimits = z.partialRecord(
  z.enum(TIERS),
  z.partialRecord(z.enum(LIMIT_GROUPS), z.partialRecord(z.enum(LIMIT_WINDOWS), decimal.nullable())),
);

/** A JSON object of what is other than the defaults, by tier, group and window; null is no limit. */
export const limitTable = text.transform((value, ctx): LimitTable<string> => {
  const parsed = givenLimits.safeParse(jsonOf(value));
  if (parsed.success) return mergedLimits(parsed.data);
  for (const { path, message, code } of parsed.error.issues) {
    const isNoObject = path.length === 0 && code === 'invalid_type';
    ctx.addIssue(
      isNoObject ? `write JSON such as ${LIMITS_EXAMPLE}` : [path.join('.'), message].filter(Boolean).join(': '),
    );
  }
  return z.NEVER;
});

function jsonOf(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function mergedLimits(given: z.output<typeof givenLimits>): LimitTable<string> {
  const windows = (tier: Tier, group: LimitGroup): GroupLimits<string> => ({
    ...DEFAULT_LIMITS[tier][group],
    ...given[tier]?.[group],
  });
  const groups = (tier: Tier) => Object.fromEntries(LIMIT_GROUPS.map((group) => [group, windows(tier, group)]));
  return Object.fromEntries(TIERS.map((tier) => [tier, groups(tier)])) as LimitTable<string>;
}

/** Whether the limits are amounts of the base currency. Each problem is a sentence for who wrote them. */
export function problemsOfLimits(given: { limits: LimitTable<string>; baseCurrency: string }): string[] {
  const { limits, baseCurrency } = given;
  if (!isCurrency(baseCurrency)) return [`BASE_CURRENCY: ${baseCurrency} is not among the known currencies.`];
  try {
    limitsInMinor(limits, CURRENCY_EXPONENTS[baseCurrency]);
    return [];
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return [`LIMITS: ${error.detail}`];
  }
}
