import { z } from 'zod';
import { balancesOf, ensureAccount } from '../db/ledger.ts';
import { type InstrumentPrice, listInstruments } from '../db/prices.ts';
import { displayExponent } from '../db/transactions.ts';
import { isDomainError } from '../domain/errors.ts';
import { formatAmount, formatPrice, formatQuantity, multiplyHalfEven } from '../domain/money.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { ApiDeps } from './deps.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, route } from './route.ts';

const schema = z.object({
  accountId: z.uuid(),
  depositIdentifiers: z.array(z.object({ currency: z.string(), reference: z.string() })),
  cash: z.array(z.object({ currency: z.string(), balance: z.string(), reserved: z.string(), available: z.string() })),
  positions: z.array(
    z.object({
      instrument: z.string(),
      quantity: z.string(),
      reserved: z.string(),
      available: z.string(),
      currency: z.string().nullable().describe('What price and value are in'),
      price: z.string().nullable(),
      value: z.string().nullable(),
    }),
  ),
});
nameSchemas({ Portfolio: schema });

/** What the caller holds, from the ledger; reserved amounts are still theirs and set aside for open transactions. */
export function createPortfolioRoutes({ db, config }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/portfolio',
      name: 'getPortfolio',
      summary: 'Cash and positions of your trading account',
      access: { kind: 'session', roles: ['customer', 'admin'], ownership: 'own' },
      responses: { 200: { description: 'The portfolio', schema } },
      async handler(context) {
        const { userId } = principalOf(context);
        return db.transaction(async (tx) => {
          const accountId = await ensureAccount(tx, { id: uuidV7(), userId });
          const held = await balancesOf(tx, accountId);
          const instruments = new Map((await listInstruments(tx)).map((one) => [one.id, one]));
          const of = (kind: string) =>
            held.flatMap((one) =>
              one.asset.startsWith(`${kind}:`) ? [{ ...one, name: one.asset.slice(kind.length + 1) }] : [],
            );
          const cash = of('cash').map(({ name, balance, reserved }) => ({
            currency: name,
            ...amounts('balance', balance, reserved, (amount) => formatAmount(amount, displayExponent(name))),
          }));
          const positions = of('position').map(({ name, balance, reserved }) => ({
            instrument: name,
            ...amounts('quantity', balance, reserved, formatQuantity),
            ...valued(balance, instruments.get(name)),
          }));
          return {
            status: 200,
            body: {
              accountId,
              depositIdentifiers: [{ currency: config.baseCurrency, reference: depositReference(accountId) }],
              cash,
              positions,
            },
          };
        });
      },
    }),
  ];
}

/** What to write into the reference of a bank transfer so that it reaches this account. */
function depositReference(accountId: string): string {
  return `TG-${accountId.replaceAll('-', '').toUpperCase()}`;
}

function amounts<K extends string>(key: K, balance: bigint, reserved: bigint, format: (amount: bigint) => string) {
  return {
    [key]: format(balance),
    reserved: format(reserved),
    available: format(balance - reserved),
  } as Record<K | 'reserved' | 'available', string>;
}

/** At the latest price, however old: for the eye, never for a decision. */
function valued(quantity: bigint, instrument: InstrumentPrice | undefined) {
  const currency = instrument?.currency ?? null;
  const price = instrument?.price ?? null;
  if (currency === null || price === null) return { currency, price: null, value: null };
  const exponent = displayExponent(currency);
  try {
    return {
      currency,
      price: formatPrice(price),
      value: formatAmount(multiplyHalfEven(quantity, price, exponent), exponent),
    };
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return { currency, price: formatPrice(price), value: null };
  }
}
