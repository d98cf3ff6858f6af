import { describe, expect, it } from 'vitest';
import { nextReminder, reviewReminders } from '../../domain/review-sla.ts';
import { confirmedLines, describeTransaction } from '../../domain/transaction-letters.ts';

const HOUR = 3_600_000;
const at = (hours: number) => new Date(hours * HOUR).toISOString();

describe('reminders of a hold', () => {
  const reminders = reviewReminders(0, 24 * HOUR);

  it('are due at half and at nine tenths of its time', () => {
    expect(reminders).toEqual([
      { share: 50, at: at(12) },
      { share: 90, at: at(21.6) },
    ]);
  });

  it('come one after the other, each once', () => {
    expect(nextReminder(reminders, new Set(), HOUR)?.share).toBe(50);
    expect(nextReminder(reminders, new Set([50]), 13 * HOUR)?.share).toBe(90);
    expect(nextReminder(reminders, new Set([50, 90]), 23 * HOUR)).toBeUndefined();
    expect(nextReminder([], new Set(), HOUR)).toBeUndefined();
  });

  it('are one where both are due: whoever was away is not written to twice', () => {
    expect(nextReminder(reminders, new Set(), 22 * HOUR)?.share).toBe(90);
    expect(nextReminder(reminders, new Set([90]), 22 * HOUR)).toBeUndefined();
  });
});

describe('what a letter says of a transaction', () => {
  const buy = {
    type: 'buy',
    amount: '123456789',
    currency: 'USD',
    exponent: 2,
    instrument: 'ACME',
    quantity: '1234567891234',
    priceLimit: '1234567',
    counterparty: null,
  } as const;

  it('names amount, currency, instrument and limit, without a number that could be a code', () => {
    const lines = confirmedLines(buy);
    expect(lines.map((line) => line.trim().replace(/ +/g, ' '))).toEqual([
      'Type: buy',
      'Instrument: 1,234,567.891 234 ACME',
      'Amount: 1,234,567.89 USD',
      'Price: at most 123.456 7 USD a unit',
    ]);
    expect(lines.join('\n')).not.toMatch(/\d{5}/);
    expect(describeTransaction(buy)).toBe('buy of 1,234,567.89 USD');
  });

  it('names the payee of a transfer in full, and of others nothing that a mail program makes a link of', () => {
    const transfer = { ...buy, type: 'transfer', instrument: null, quantity: null, priceLimit: null } as const;
    const id = '01234567-89ab-7cde-8f01-234567890123';
    expect(confirmedLines({ ...transfer, counterparty: id }).at(-1)).toContain(
      'account 0123 4567 89ab 7cde 8f01 2345 6789 0123',
    );
    const hostile = { ...transfer, type: 'withdrawal', counterparty: 'http://evil.example/\n123456 <b>' } as const;
    const shown = confirmedLines(hostile).at(-1) ?? '';
    expect(shown).toMatch(/^[ -~]+$/);
    expect(shown).not.toMatch(/[:/.<>]\S|\d{5}/);
  });
});
