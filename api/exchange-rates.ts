import { z } from 'zod';
import { listRates, recordRates } from '../db/exchange-rates.ts';
import { isDomainError } from '../domain/errors.ts';
import { formatRate, parseRate } from '../domain/exchange.ts';
import { isCurrency } from '../domain/money.ts';
import { ROLES } from '../domain/roles.ts';
import type { ApiDeps } from './deps.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, route } from './route.ts';

const rateSchema = z.object({
  currency: z.string(),
  baseCurrency: z.string(),
  rate: z.string().describe('Units of the base currency for one unit'),
  ratedAt: z.iso.datetime(),
  /** True when a transaction in this currency would be held because the rate is too old. */
  stale: z.boolean(),
});

const rateList = z.object({ items: z.array(rateSchema), nextCursor: z.null() });

const datedRate = (baseCurrency: string) =>
  z
    .strictObject({
      currency: z
        .string()
        .max(3)
        .refine((code) => isCurrency(code) && code !== baseCurrency, 'a known currency other than the base'),
      at: z.iso.datetime({ offset: true, error: 'write RFC 3339, for instance 2026-01-05T14:30:00Z' }).max(40),
      rate: z.string().max(24).describe('Units of the base currency for one unit; up to 10 fraction digits'),
    })
    .transform((line, ctx) => {
      try {
        return { ...line, rate: parseRate(line.rate) };
      } catch (error) {
        if (!isDomainError(error)) throw error;
        ctx.addIssue({ code: 'custom', path: ['rate'], message: error.detail });
        return z.NEVER;
      }
    });

const importReport = z.object({
  inserted: z.number().int(),
  unchanged: z.number().int(),
  conflicting: z.array(z.object({ currency: z.string(), at: z.string() })),
});
nameSchemas({ ExchangeRate: rateSchema, ExchangeRateList: rateList, ExchangeRateImport: importReport });

/** What other currencies are in the base currency, and where that comes from. */
export function createExchangeRateRoutes({ db, audit, config }: ApiDeps): Route[] {
  const { baseCurrency } = config;
  const list = route({
    method: 'get',
    path: '/api/exchange-rates',
    name: 'listExchangeRates',
    summary: 'The exchange rate in force of every currency that has one',
    access: { kind: 'session', roles: ROLES, ownership: 'none' },
    responses: {
      200: { description: 'All of them', schema: rateList },
    },
    async handler() {
      const found = await listRates(db.fork(), baseCurrency);
      const items = found.map(({ currency, rate, at, ageMs }) => ({
        currency,
        baseCurrency,
        rate: formatRate(rate),
        ratedAt: at,
        stale: ageMs > config.rateMaxAge,
      }));
      return { status: 200, body: { items, nextCursor: null } };
    },
  });

  const importRates = route({
    method: 'post',
    path: '/api/admin/exchange-rates',
    name: 'importExchangeRates',
    summary: 'Imports dated exchange rates; a recorded one never changes; needs a fresh factor',
    access: { kind: 'session', roles: ['admin'], ownership: 'none', freshFactor: true },
    body: z.strictObject({ rates: z.array(datedRate(baseCurrency)).min(1).max(500) }),
    responses: { 200: { description: 'What was new', schema: importReport } },
    async handler(context) {
      const { userId } = principalOf(context);
      const { rates } = context.body;
      const report = await db.transaction(async (tx) => {
        const imported = await recordRates(tx, baseCurrency, rates, 'admin');
        await audit.append(tx, {
          action: 'exchange_rate.imported',
          actor: { kind: 'user', id: userId },
          subject: { kind: 'exchange_rate_table', id: 'admin' },
          outcome: 'success',
          ip: context.request.ip,
          userAgent: context.request.userAgent,
          requestId: context.request.requestId,
          details: { lines: rates.length, inserted: imported.inserted, conflicting: imported.conflicting.length },
        });
        return imported;
      });
      return { status: 200, body: report };
    },
  });

  return [list, importRates];
}
