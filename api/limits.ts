import { z } from 'zod';
import { readUsage } from '../db/account-state.ts';
import { ensureAccount } from '../db/ledger.ts';
import { oneRow } from '../db/sql.ts';
import { limitsInMinor, limitViews, type Tier } from '../domain/limits.ts';
import { currencyExponent } from '../domain/money.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { ApiDeps } from './deps.ts';
import { limitGroup, limitWindow, tier } from './enumerations.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, route } from './route.ts';

const amount = z.string().nullable();
const schema = z.object({
  tier: tier,
  currency: z.string(),
  limits: z.array(
    z.object({
      group: limitGroup,
      window: limitWindow,
      limit: amount.describe('null: none'),
      used: amount.describe('null for the limit of a single transaction'),
      left: amount,
    }),
  ),
});
nameSchemas({ TransactionLimits: schema });

/** What the caller may move, and what is left of it. */
export function createLimitRoutes({ db, config }: ApiDeps): Route[] {
  const { baseCurrency: currency } = config;
  const exponent = currencyExponent(currency);
  const table = limitsInMinor(config.limits, exponent);
  return [
    route({
      method: 'get',
      path: '/api/profile/limits',
      name: 'getLimits',
      summary: 'Your limits and what is left of them, in the base currency',
      access: { kind: 'session', roles: ['customer', 'admin'], ownership: 'own' },
      responses: { 200: { description: 'The limits', schema } },
      async handler(context) {
        const { userId } = principalOf(context);
        const body = await db.transaction(async (tx) => {
          const accountId = await ensureAccount(tx, { id: uuidV7(), userId });
          const { tier } = await oneRow<{ tier: Tier }>(tx, 'select tier from app_user where id = $1', [userId]);
          const { usage, now } = await readUsage(tx, accountId);
          return { tier, currency, limits: limitViews(table[tier], usage, now, exponent) };
        });
        return { status: 200, body };
      },
    }),
  ];
}
