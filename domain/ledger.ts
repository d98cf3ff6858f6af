import type { TransactionType } from './transaction.ts';

/** The house's sides of every movement with the outside; their balances are sums over postings, never a row. */
export const HOUSE_ACCOUNTS = {
  /** Money that came in by deposit and left by withdrawal. */
  bank: '00000000-0000-8000-8000-000000000001',
  /** The other side of every buy and sell. */
  market: '00000000-0000-8000-8000-000000000002',
} as const;

/** True for an account of the house, which keeps no materialised balance. */
export function isHouseAccount(accountId: string): boolean {
  return accountId === HOUSE_ACCOUNTS.bank || accountId === HOUSE_ACCOUNTS.market;
}

/** What is counted in an account. The prefix keeps an instrument called `USD` apart from dollars. */
export function cashAsset(currency: string): string {
  return `cash:${currency}`;
}

export function positionAsset(instrument: string): string {
  return `position:${instrument}`;
}

/** One side-to-side movement: `amount` leaves `from` and reaches `to`, minor units of cash or millionths of a unit. */
export interface Movement {
  readonly leg: 'cash' | 'position';
  readonly asset: string;
  readonly from: string;
  readonly to: string;
  readonly amount: bigint;
}

/** The priced content of a transaction. */
export interface SettlementTerms {
  readonly type: TransactionType;
  readonly accountId: string;
  readonly counterpartyAccountId: string | null;
  readonly currency: string;
  readonly amount: bigint;
  readonly instrument: string | null;
  readonly quantity: bigint | null;
}

/**
 * The movements that settle a transaction: one for money alone, two for a trade. Every movement names both sides, so
 * the books balance by construction. @throws RangeError when a trade lacks its instrument or a transfer its recipient
 */
export function movementsOf(terms: SettlementTerms): Movement[] {
  const { accountId, amount } = terms;
  const cash = (from: string, to: string): Movement => ({
    leg: 'cash',
    asset: cashAsset(terms.currency),
    from,
    to,
    amount,
  });
  switch (terms.type) {
    case 'deposit':
      return [cash(HOUSE_ACCOUNTS.bank, accountId)];
    case 'withdrawal':
      return [cash(accountId, HOUSE_ACCOUNTS.bank)];
    case 'transfer':
      if (terms.counterpartyAccountId === null) throw new RangeError('a transfer needs a recipient');
      return [cash(accountId, terms.counterpartyAccountId)];
    case 'buy':
      return [cash(accountId, HOUSE_ACCOUNTS.market), position(terms, HOUSE_ACCOUNTS.market, accountId)];
    case 'sell':
      return [position(terms, accountId, HOUSE_ACCOUNTS.market), cash(HOUSE_ACCOUNTS.market, accountId)];
  }
}

/** What the customer gives: the asset and amount that must be there, and are set aside while it is undecided. */
export function outgoing(terms: SettlementTerms): { asset: string; amount: bigint } | null {
  const given = movementsOf(terms).find((movement) => movement.from === terms.accountId);
  return given === undefined ? null : { asset: given.asset, amount: given.amount };
}

function position(terms: SettlementTerms, from: string, to: string): Movement {
  if (terms.instrument === null || terms.quantity === null)
    throw new RangeError('a trade needs instrument and quantity');
  return { leg: 'position', asset: positionAsset(terms.instrument), from, to, amount: terms.quantity };
}
