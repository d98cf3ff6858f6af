import { formatAmount, formatPrice, formatQuantity } from './money.ts';
import type { TransactionType } from './transaction.ts';

/** A transaction as letters speak of it. Integers in decimal digits; `exponent` is the currency's. */
export interface LetterSubject {
  type: TransactionType;
  amount: string | null;
  currency: string;
  exponent: number;
}

/** What its owner is shown when they confirm it. */
export interface ConfirmedSubject extends LetterSubject {
  instrument: string | null;
  /** Millionths of a unit. */
  quantity: string | null;
  /** Currency units x 10^4. */
  priceLimit: string | null;
  counterparty: string | null;
}

/** `withdrawal of 1,234.50 USD`. Thousands are grouped: the only six-digit number in any letter is a code. */
export function describeTransaction(subject: LetterSubject): string {
  return subject.amount === null ? subject.type : `${subject.type} of ${amountOf(subject)}`;
}

/** Tells the owner that their appeal is heard. @param reviewBy RFC 3339 */
export function appealLetter(subject: LetterSubject, reviewBy: string, origin: string) {
  return {
    template: 'transaction.appealed',
    subject: 'Your appeal was received',
    text: [
      `Your ${describeTransaction(subject)} is held again, and the money is reserved for it.`,
      `Somebody who did not reject it decides by ${reviewBy.slice(0, 16).replace('T', ' ')} UTC; their decision is final.`,
      `If it was not you who appealed, cancel it at ${origin} and change your password now.`,
    ].join('\n\n'),
  };
}

/** What a confirmation is about, a line each: amount and payee above all (RTS on SCA, article 5 (1)(a)). */
export function confirmedLines(subject: ConfirmedSubject): string[] {
  const { type, instrument, quantity, priceLimit, counterparty, currency } = subject;
  const lines: [string, string][] = [['Type', type]];
  if (instrument !== null && quantity !== null) {
    lines.push(['Instrument', `${grouped(formatQuantity(BigInt(quantity)))} ${instrument}`]);
  }
  if (subject.amount !== null) lines.push(['Amount', amountOf(subject)]);
  if (priceLimit !== null) {
    const worst = type === 'buy' ? 'at most' : 'at least';
    lines.push(['Price', `${worst} ${grouped(formatPrice(BigInt(priceLimit)))} ${currency} a unit`]);
  }
  if (counterparty !== null)
    lines.push(['To', type === 'transfer' ? accountOf(counterparty) : plainName(counterparty)]);
  return lines.map(([name, value]) => `    ${`${name}:`.padEnd(12)}${value}`);
}

function amountOf({ amount, currency, exponent }: LetterSubject): string {
  return `${grouped(formatAmount(BigInt(amount ?? 0), exponent))} ${currency}`;
}

function grouped(decimal: string): string {
  const [integer = '', fraction] = decimal.split('.');
  const thousands = integer.replaceAll(/\B(?=(\d{3})+$)/g, ',');
  // Six digits behind the point, of a quantity, would look like a code.
  return fraction === undefined ? thousands : `${thousands}.${fraction.replaceAll(/(\d{3})(?=\d)/g, '$1 ')}`;
}

/** An account's id in groups of four. */
function accountOf(id: string): string {
  return `account ${id.replaceAll('-', '').replaceAll(/(.{4})(?=.)/g, '$1 ')}`;
}

/** A payee whom the customer named: nothing in it that a mail program makes a link of, and no number like a code. */
function plainName(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9 ,&'-]/g, '?').replaceAll(/(\d{4})(?=\d)/g, '$1 ');
}
