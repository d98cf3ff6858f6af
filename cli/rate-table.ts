import { createReadStream } from 'node:fs';
import { CsvError, parse } from 'csv-parse';
import { z } from 'zod';
import type { DatedRate } from '../db/exchange-rates.ts';
import { isDomainError } from '../domain/errors.ts';
import { parseRate } from '../domain/exchange.ts';
import { isCurrency } from '../domain/money.ts';

const line = z.object({
  currency: z.string(),
  at: z.iso.datetime({ offset: true, error: 'write RFC 3339, for instance 2026-01-05T14:30:00Z' }),
  rate: z.string(),
});

/**
 * Reads a table of dated exchange rates: CSV with the columns currency, at and rate (units of the base currency for one
 * unit); other columns are not looked at.
 * @throws Error that names the line and what is wrong with it
 */
export async function readRateTable(file: string, baseCurrency: string): Promise<DatedRate[]> {
  const table: DatedRate[] = [];
  try {
    const records = createReadStream(file).pipe(
      parse({ columns: true, bom: true, trim: true, skip_empty_lines: true }),
    );
    for await (const record of records) table.push(toRate(record, table.length + 2, baseCurrency));
  } catch (error) {
    if (error instanceof CsvError) throw new Error(`${file} is no table: ${error.message}`);
    throw error;
  }
  if (table.length === 0) throw new Error(`${file} holds no rates.`);
  return table;
}

function toRate(record: unknown, number: number, baseCurrency: string): DatedRate {
  const parsed = line.safeParse(record);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`line ${number}: ${issue?.path.join('.') ?? 'line'}: ${issue?.message ?? 'not valid'}`);
  }
  const { currency, at, rate } = parsed.data;
  if (!isCurrency(currency)) throw new Error(`line ${number}: currency: ${currency} is not known`);
  if (currency === baseCurrency) throw new Error(`line ${number}: currency: ${currency} is the base currency`);
  try {
    return { currency, at, rate: parseRate(rate) };
  } catch (error) {
    if (!isDomainError(error)) throw error;
    throw new Error(`line ${number}: rate: ${error.detail}`);
  }
}
