import { z } from 'zod';
import { listInstruments, recordPrices } from '../db/prices.ts';
import { isDomainError } from '../domain/errors.ts';
import { formatPrice, isCurrency, parsePrice } from '../domain/money.ts';
import { ROLES } from '../domain/roles.ts';
import type { ApiDeps } from './deps.ts';
import { textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, route } from './route.ts';

const instrument = z.object({
  instrument: z.string(),
  name: z.string(),
  currency: z.string(),
  price: z.string().nullable(),
  pricedAt: z.iso.datetime().nullable(),
  /** True when a trade would be refused because its price is too old. */
  stale: z.boolean(),
});

const instrumentList = z.object({ items: z.array(instrument), nextCursor: z.null() });

const datedPrice = z
  .strictObject({
    instrument: z.string().regex(/^[A-Z0-9.]{1,12}$/, 'an instrument is 1 to 12 of A-Z, 0-9 and .'),
    at: z.iso.datetime({ offset: true, error: 'write RFC 3339, for instance 2026-01-05T14:30:00Z' }).max(40),
    price: z.string().max(24).describe('Up to 4 fraction digits'),
    name: textInput(1, 100).optional(),
    currency: z.string().refine(isCurrency, 'this currency is not known').optional(),
  })
  .transform((line, ctx) => {
    try {
      return { ...line, price: parsePrice(line.price) };
    } catch (error) {
      if (!isDomainError(error)) throw error;
      ctx.addIssue({ code: 'custom', path: ['price'], message: error.detail });
      return z.NEVER;
    }
  });

const importBody = z.strictObject({ prices: z.array(datedPrice).min(1).max(500) });

const importReport = z.object({
  newInstruments: z.number().int(),
  inserted: z.number().int(),
  unchanged: z.number().int(),
  conflicting: z.array(z.object({ instrument: z.string(), at: z.string() })),
});
nameSchemas({ Instrument: instrument, InstrumentList: instrumentList, PriceImport: importReport });

/** What can be traded, and where its prices come from. */
export function createInstrumentRoutes({ db, audit, config }: ApiDeps): Route[] {
  const list = route({
    method: 'get',
    path: '/api/instruments',
    name: 'listInstruments',
    summary: 'Instruments with their latest price',
    access: { kind: 'session', roles: ROLES, ownership: 'none' },
    responses: {
      200: { description: 'All of them', schema: instrumentList },
    },
    async handler() {
      const found = await listInstruments(db.fork());
      const items = found.map(({ id, name, currency, price, at }) => ({
        instrument: id,
        name,
        currency,
        price: price === null ? null : formatPrice(price),
        pricedAt: at,
        stale: at === null || Date.now() - Date.parse(at) > config.priceMaxAge,
      }));
      return { status: 200, body: { items, nextCursor: null } };
    },
  });

  const importPrices = route({
    method: 'post',
    path: '/api/admin/prices',
    name: 'importPrices',
    summary: 'Imports dated prices; new instruments come into being with their first price; needs a fresh factor',
    access: { kind: 'session', roles: ['admin'], ownership: 'none', freshFactor: true },
    body: importBody,
    responses: { 200: { description: 'What was new', schema: importReport } },
    async handler(context) {
      const { userId } = principalOf(context);
      const { prices } = context.body;
      const table = prices.map((line) => ({ ...line, currency: line.currency ?? config.baseCurrency }));
      const report = await db.transaction(async (tx) => {
        const imported = await recordPrices(tx, table, 'admin');
        await audit.append(tx, {
          action: 'price.imported',
          actor: { kind: 'user', id: userId },
          subject: { kind: 'price_table', id: 'admin' },
          outcome: 'success',
          ip: context.request.ip,
          userAgent: context.request.userAgent,
          requestId: context.request.requestId,
          details: { lines: table.length, inserted: imported.inserted, newInstruments: imported.newInstruments },
        });
        return imported;
      });
      return { status: 200, body: report };
    },
  });

  return [list, importPrices];
}
