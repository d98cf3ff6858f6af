import type { TransactionBody } from './open-request.ts';

export const TYPES = ['buy', 'sell', 'deposit', 'withdrawal', 'transfer'] as const;
export type Type = (typeof TYPES)[number];

export interface Values {
  readonly instrument: string;
  readonly quantity: string;
  readonly price: string;
  readonly amount: string;
  readonly currency: string;
  readonly counterparty: string;
  readonly category: string;
}

export const isTrade = (type: Type): boolean => type === 'buy' || type === 'sell';

const DECIMAL = /^\d{1,15}(\.\d{1,6})?$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const number = (text: string, isOptional = false): string | null => {
  if (text === '' && isOptional) return null;
  if (!DECIMAL.test(text)) return 'Write it like 1234.50, without blanks or commas';
  return /^[0.]*$/.test(text) ? 'It must be more than zero' : null;
};

export interface Known {
  readonly ownAccount: string | undefined;
  /** The currency of the chosen instrument; of one that is not in the list there is none. */
  readonly tradedIn: string | undefined;
}

/** What is wrong with the fields of this type, before anything is sent; the server has the last word. */
export function faultsOf(
  type: Type,
  values: Values,
  { ownAccount, tradedIn }: Known,
): Partial<Record<keyof Values, string | null>> {
  if (isTrade(type)) {
    return {
      instrument: tradedIn === undefined ? 'Choose one' : null,
      quantity: number(values.quantity),
      price: number(values.price, true),
    };
  }
  const category = /^[a-z0-9_]{0,40}$/.test(categoryOf(values)) ? null : 'Letters, digits and blanks, 40 at most';
  if (type !== 'transfer') return { amount: number(values.amount), category };
  const to = values.counterparty.trim();
  const isOwn = to.toLowerCase() === ownAccount;
  return {
    amount: number(values.amount),
    category,
    counterparty: !UUID.test(to)
      ? 'An account id is 36 characters: their portfolio page shows it'
      : isOwn
        ? 'This is your own account'
        : null,
  };
}

const categoryOf = ({ category }: Values): string =>
  category
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_');

/** The request's body, of values that {@link faultsOf} has nothing against: only what this type has. */
export function bodyOf(type: Type, values: Values, { tradedIn = '' }: Known): TransactionBody {
  if (isTrade(type)) {
    const { instrument, quantity, price } = values;
    return { type, instrument, quantity, currency: tradedIn, ...(price === '' ? {} : { price }) };
  }
  const category = categoryOf(values);
  return {
    type,
    amount: values.amount,
    currency: values.currency,
    ...(category === '' ? {} : { category }),
    ...(type === 'transfer' ? { counterparty: values.counterparty.trim().toLowerCase() } : {}),
  };
}

/** Quantity times price with two fraction digits, cut off: for the eye, not what it settles at. */
export function estimate(quantity: string, price: string | null): string | undefined {
  if (price === null || !DECIMAL.test(quantity) || !DECIMAL.test(price)) return undefined;
  const scaled = (text: string): bigint => {
    const [whole = '0', fraction = ''] = text.split('.');
    return BigInt(whole + fraction.padEnd(6, '0'));
  };
  const cents = (scaled(quantity) * scaled(price)) / 10n ** 10n;
  return `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`;
}
