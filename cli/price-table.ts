import { createReadStream } from 'node:fs';
import { CsvError, parse } from 'csv-parse';
import { z } from 'zod';
import type { DatedPrice } from '../db/prices.ts';
import { isDomainError } from '../domain/errors.ts';
import { isCurrency, parsePrice } from '../domain/money.ts';

const line = z.object({
  instrument: z.string().regex(/^[A-Z0-9.]{1,12}$/, 'write 1 to 12 of A-Z, 0-9 and .'),
  at: z.iso.datetime({ offset: true, error: 'write RFC 3339, for instance 2026-01-05T14:30:00Z' }),
  price: z.string(),
  name: z.string().trim().max(100).optional(),
  currency: z.string().optional(),
});

/**
 * Reads a table of dated prices: CSV with the columns instrument, at and price, and maybe name and currency.
 * @throws Error that names the line and what is wrong with it
 */
export async function readPriceTable(file: string, baseCurrency: string): Promise<DatedPrice[]> {
  const table: DatedPrice[] = [];
  try {
    const records = createReadStream(file).pipe(
      parse({ columns: true, bom: true, trim: true, skip_empty_lines: true }),
    );
    for await (const record of records) table.push(toPrice(record, table.length + 2, baseCurrency));
  } catch (error) {
    if (error instanceof CsvError) throw new Error(`${file} is no table: ${error.message}`);
    throw error;
  }
  if (table.length === 0) throw new Error(`${file} holds no prices.`);
  return table;
}

function toPrice(record: unknown, number: number, baseCurrency: string): DatedPrice {
  const parsed = line.safeParse(record);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`line ${number}: ${issue?.path.join('.') ?? 'line'}: ${issue?.message ?? 'not valid'}`);
  }
  const { instrument, at, price, name, currency = '' } = parsed.data;
  if (currency !== '' && !isCurrency(currency)) throw new Error(`line ${number}: currency: ${currency} is not known`);
  try {
    return { instrument, at, price: parsePrice(price), name: name || undefined, currency: currency || baseCurrency };
  } catch (error) {
    if (!isDomainError(error)) throw error;
    throw new Error(`line ${number}: price: ${error.detail}`);
  }
}
