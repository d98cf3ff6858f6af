import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { PassThrough, type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CsvError, parse } from 'csv-parse';
import { z } from 'zod';

/** One recorded transaction. Money stays the text of the file: the API is the one that judges it. */
export interface ReplayRow {
  /** Position in the file, from 0; with the file's hash it names the row for ever. */
  readonly n: number;
  readonly txId: string;
  /** Virtual time, RFC 3339 UTC, to the microsecond where the file has it. */
  readonly ts: string;
  /** The same in Unix milliseconds. */
  readonly at: number;
  readonly account: string;
  readonly counterparty: string | undefined;
  readonly amount: string;
  /** 1: known to be fraud. */
  readonly label: 0 | 1;
  readonly scenario: string;
  readonly type: 'withdrawal' | 'deposit' | 'transfer';
  readonly category: string | undefined;
  readonly currency: string;
}

/** What is known of a file once it was read through. */
export interface ReplayFile {
  readonly path: string;
  /** Hex SHA-256 of the file as it lies there, compressed or not. */
  readonly sha256: string;
  readonly rows: number;
  readonly firstTs: string | undefined;
  readonly lastTs: string | undefined;
}

/** The file cannot be replayed; the message names the line and what is wrong with it. */
export class ReplayFileError extends Error {
  override readonly name = 'ReplayFileError';
}

export const REQUIRED_COLUMNS = ['tx_id', 'ts', 'account', 'counterparty', 'amount', 'label', 'scenario'] as const;
const COLUMNS: readonly string[] = [...REQUIRED_COLUMNS, 'type', 'category', 'currency'];

const identifier = z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/, 'use up to 64 letters, digits, dots, dashes, colons');
const optional = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

const rowSchema = z.object({
  tx_id: identifier,
  ts: z.iso.datetime({ offset: true, error: 'write RFC 3339, for instance 2018-06-01T00:35:57Z' }),
  account: identifier,
  counterparty: optional(identifier),
  amount: z.string().regex(/^\d{1,15}(\.\d{1,8})?$/, 'write a decimal number without a sign'),
  label: z.enum(['0', '1'], 'write 0 or 1'),
  scenario: z.string().max(40),
  type: optional(z.enum(['withdrawal', 'deposit', 'transfer'], 'write withdrawal, deposit or transfer')),
  category: optional(z.string().regex(/^[a-z0-9_]{1,40}$/, 'use a-z, 0-9 and _, at most 40')),
  currency: optional(z.string().regex(/^[A-Z]{3}$/, 'write an ISO 4217 code such as USD')),
});

/**
 * Reads the whole file once before anything is sent: its hash names the replay, its number of rows makes the progress
 * bar honest, and a fault on the last line is told before the first row is in the database.
 *
 * @throws ReplayFileError for a missing column, a malformed row or a row older than the one before
 */
export async function scanFile(path: string): Promise<ReplayFile> {
  const hash = createHash('sha256');
  let rows = 0;
  let firstTs: string | undefined;
  let lastTs: string | undefined;
  for await (const row of readRows(path, (chunk) => hash.update(chunk))) {
    rows += 1;
    firstTs ??= row.ts;
    lastTs = row.ts;
  }
  return { path, sha256: hash.digest('hex'), rows, firstTs, lastTs };
}

/**
 * Streams the rows in the file's order; a `.gz` is unpacked on the way. Memory does not grow with the file.
 *
 * @param onBytes sees every chunk of the file as it lies on disk
 * @throws ReplayFileError
 */
export async function* readRows(path: string, onBytes?: (chunk: Buffer) => void): AsyncGenerator<ReplayRow> {
  const parser = parse({ bom: true, columns: checkHeader, info: true, skip_empty_lines: true, trim: true });
  const watched = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes?.(chunk);
      done(null, chunk);
    },
  });
  const unpacked: Transform = path.endsWith('.gz') ? createGunzip() : new PassThrough();
  // A failure destroys the parser, so the loop below throws it; the promise itself must not go unhandled.
  const flow = pipeline(createReadStream(path), watched, unpacked, parser as unknown as NodeJS.WritableStream);
  flow.catch(() => undefined);
  let n = 0;
  let previous = Number.NEGATIVE_INFINITY;
  try {
    for await (const { record, info } of parser as Readable as AsyncIterable<ParsedLine>) {
      const row = toRow(record, n, info.lines);
      if (row.at < previous) {
        throw new ReplayFileError(`${path}, line ${info.lines}: ${row.ts} is earlier than the row before. Sort by ts.`);
      }
      previous = row.at;
      n += 1;
      yield row;
    }
  } catch (error) {
    throw asFileError(path, error);
  } finally {
    parser.destroy();
  }
}

interface ParsedLine {
  readonly record: Record<string, string>;
  readonly info: { readonly lines: number };
}

function checkHeader(header: string[]): string[] {
  const missing = REQUIRED_COLUMNS.filter((column) => !header.includes(column));
  if (missing.length > 0) throw new ReplayFileError(`the header lacks ${missing.join(', ')}`);
  const unknown = header.filter((column) => !COLUMNS.includes(column));
  if (unknown.length > 0) {
    throw new ReplayFileError(`the header has ${unknown.join(', ')}; known are ${COLUMNS.join(', ')}`);
  }
  return header;
}

/**
 * Checks one row.
 * @param n its position in the file, from 0
 * @param line of the file, for the message
 * @throws ReplayFileError
 */
export function toRow(record: Readonly<Record<string, string>>, n: number, line: number): ReplayRow {
  const parsed = rowSchema.safeParse(record);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ReplayFileError(`line ${line}: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { data } = parsed;
  if (data.type === 'transfer' && data.counterparty === undefined) {
    throw new ReplayFileError(`line ${line}: counterparty: a transfer needs the account that receives it`);
  }
  return {
    n,
    txId: data.tx_id,
    ts: toUtc(data.ts),
    at: Date.parse(data.ts),
    account: data.account,
    counterparty: data.counterparty,
    amount: data.amount,
    label: data.label === '1' ? 1 : 0,
    scenario: data.scenario,
    type: data.type ?? 'withdrawal',
    category: data.category,
    currency: data.currency ?? 'USD',
  };
}

/** `Date` would drop microseconds, so a time that is UTC already stays as it is. */
function toUtc(ts: string): string {
  return ts.endsWith('Z') ? ts : new Date(ts).toISOString();
}

/** The error as it is told: a fault of the file with its path in front, anything else as it is. */
export function asFileError(path: string, error: unknown): unknown {
  if (error instanceof ReplayFileError) {
    return error.message.startsWith(path) ? error : new ReplayFileError(`${path}, ${error.message}`);
  }
  if (error instanceof CsvError) return new ReplayFileError(`${path}: ${error.message}`);
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOENT') return new ReplayFileError(`${path}: there is no such file`);
  if (code.startsWith('Z_')) return new ReplayFileError(`${path}: not a complete gzip file`);
  return error;
}
