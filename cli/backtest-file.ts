import { currencyExponent, formatAmount, isCurrency, MAX_INT64 } from '../domain/money.ts';
import type { BacktestRow } from '../domain/risk/backtest.ts';
import { NO_ACCESS } from '../domain/risk/features.ts';
import type { KnownOutcome } from '../domain/risk/rule-set-tally.ts';
import { MICROS_PER_DAY, MICROS_PER_MILLISECOND, MICROS_PER_SECOND, type Micros } from '../domain/time.ts';
import { DEFAULT_CATEGORY, type TransactionType } from '../domain/transaction.ts';
import { type CsvPage, readCsv } from './csv-lines.ts';
import { asFileError, REQUIRED_COLUMNS, ReplayFileError, toRow } from './replay-file.ts';

/** Columns that a back-test can do without: no label, no quality; no scenario, no recall by it. */
const OPTIONAL_COLUMNS: ReadonlySet<string> = new Set(['label', 'scenario']);

const IDENTIFIER = /^[A-Za-z0-9._:-]{1,64}$/;
const DAY = /^\d{4}-\d\d-\d\d$/;
const FRACTION = /\.(\d+)/;
const SIMPLE_AMOUNT = /^\d{1,12}(\.\d{1,2})?$/;
const CATEGORY = /^[a-z0-9_]{1,40}$/;

export interface BacktestFileOptions {
  /** When a label of 1 reaches the features: so long after its transaction. */
  readonly labelDelay: Micros;
  readonly onBytes?: (bytes: number) => void;
}

/** Rows as a back-test takes them, and what the file's money is in. */
export interface BacktestFile {
  readonly currency: string;
  readonly exponent: number;
  readonly pages: AsyncIterable<readonly BacktestRow[]>;
}

/**
 * Opens a file of recorded transactions, in the columns of docs/replay.md; further ones are left alone. Every row counts
 * as settled at its own time and not confirmed by anybody: the file does not say. The features learn of a label of 1
 * `labelDelay` after its row.
 *
 * @throws ReplayFileError now or while the pages are read: a missing column, a malformed row, one older than the row
 *   before, another currency than the first row's
 */
export async function openBacktestFile(path: string, options: BacktestFileOptions): Promise<BacktestFile> {
  const pages = readCsv(path, options.onBytes)[Symbol.asyncIterator]();
  const closed = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw asFileError(path, error);
    });
  const first = await closed(firstPage(pages));
  const [header = [], ...rows] = first.rows;
  const columns = columnsOf(path, header);
  const page: CsvPage = { rows, lines: first.lines.slice(1) };
  const currencyColumn = columns.at.currency;
  const currency = (currencyColumn === undefined ? '' : rows[0]?.[currencyColumn]?.trim()) || 'USD';
  if (!isCurrency(currency)) {
    await pages.return?.(undefined);
    throw new ReplayFileError(`${path}, line ${page.lines[0]}: currency: ${currency} is not known`);
  }
  const exponent = currencyExponent(currency);
  const read = createRowReader(columns, currency, exponent, options.labelDelay);

  async function* readAll(): AsyncGenerator<readonly BacktestRow[]> {
    try {
      yield read(page);
      for (let next = await pages.next(); next.done !== true; next = await pages.next()) yield read(next.value);
    } catch (error) {
      throw asFileError(path, error);
    } finally {
      await pages.return?.(undefined);
    }
  }
  return { currency, exponent, pages: readAll() };
}

/** Reads on until there is a heading. */
async function firstPage(pages: AsyncIterator<CsvPage>): Promise<CsvPage> {
  for (let next = await pages.next(); next.done !== true; next = await pages.next()) {
    if (next.value.rows.length > 0) return next.value;
  }
  throw new ReplayFileError('is empty');
}

type ColumnName = (typeof REQUIRED_COLUMNS)[number] | 'type' | 'category' | 'currency';

interface Columns {
  readonly count: number;
  readonly at: Readonly<Partial<Record<ColumnName, number>>>;
  readonly names: readonly string[];
}

function columnsOf(path: string, header: readonly string[]): Columns {
  const names = header.map((name, index) => (index === 0 ? name.replace(/^\uFEFF/, '') : name).trim());
  const missing = REQUIRED_COLUMNS.filter((name) => !names.includes(name) && !OPTIONAL_COLUMNS.has(name));
  if (missing.length > 0) throw new ReplayFileError(`${path}, the header lacks ${missing.join(', ')}`);
  return { count: names.length, at: Object.fromEntries(names.map((name, index) => [name, index])), names };
}

function createRowReader(columns: Columns, currency: string, exponent: number, labelDelay: Micros) {
  const { at } = columns;
  const column = (name: ColumnName) => at[name] ?? -1;
  const [id, ts, account, counterparty, amount] = (['tx_id', 'ts', 'account', 'counterparty', 'amount'] as const).map(
    column,
  ) as [number, number, number, number, number];
  const [label, scenario, type, category, currencyAt] = (
    ['label', 'scenario', 'type', 'category', 'currency'] as const
  ).map(column) as [number, number, number, number, number];
  const name = createNames();
  const timeOf = createClock();
  let n = 0;
  let previous = Number.NEGATIVE_INFINITY;

  /** The row, where every field is as plain as nearly all are; undefined sends it through the full check. */
  function plain(fields: readonly string[]): BacktestRow | undefined {
    const txId = fields[id] as string;
    const from = fields[account] as string;
    const to = fields[counterparty] as string;
    const time = timeOf(fields[ts] as string);
    const kind = type < 0 ? 'withdrawal' : (fields[type] as string);
    const money = fields[amount] as string;
    const mark = label < 0 ? '' : (fields[label] as string);
    const story = scenario < 0 ? null : (fields[scenario] as string);
    const topic = category < 0 ? DEFAULT_CATEGORY : (fields[category] as string);
    if (time === undefined || !IDENTIFIER.test(txId) || !name.isKnown(from) || !(to === '' || name.isKnown(to))) return;
    if (!SIMPLE_AMOUNT.test(money) || exponent !== 2 || (mark !== '0' && mark !== '1' && mark !== '')) return;
    if ((kind !== 'withdrawal' && kind !== 'deposit' && kind !== 'transfer') || (kind === 'transfer' && to === ''))
      return;
    if ((story !== null && story.length > 40) || !CATEGORY.test(topic)) return;
    if (currencyAt >= 0 && fields[currencyAt] !== currency && fields[currencyAt] !== '') return;
    return rowOf({
      id: txId,
      time,
      account: name.of(from),
      counterparty: to === '' ? null : name.of(to),
      amountMinor: centsOf(money),
      mark,
      scenario: story,
      type: kind,
      category: name.of(topic),
    });
  }

  /** The row by the checks that a replay makes, with their messages. */
  function checked(fields: readonly string[], line: number): BacktestRow {
    if (fields.length !== columns.count) {
      throw new ReplayFileError(`line ${line}: has ${fields.length} fields and the header ${columns.count}`);
    }
    const trimmed = fields.map((field) => field.trim());
    const record = Object.fromEntries(columns.names.map((key, index) => [key, trimmed[index] ?? '']));
    const mark = record.label ?? '';
    const row = toRow({ ...record, label: mark === '' ? '0' : mark, scenario: record.scenario ?? '' }, n, line);
    if (row.currency !== currency) {
      throw new ReplayFileError(
        `line ${line}: currency: ${row.currency} and the first row has ${currency}; a file knows no rates`,
      );
    }
    const fault = (message: string) => new ReplayFileError(`line ${line}: amount: ${message}`);
    return rowOf({
      id: row.txId,
      time: microsOf(record.ts ?? ''),
      account: name.of(row.account),
      counterparty: row.counterparty === undefined ? null : name.of(row.counterparty),
      amountMinor: minorOf(row.amount, exponent, currency, fault),
      mark,
      scenario: scenario < 0 ? null : row.scenario,
      type: row.type,
      category: name.of(row.category ?? DEFAULT_CATEGORY),
    });
  }

  function rowOf(found: {
    id: string;
    time: Micros;
    account: string;
    counterparty: string | null;
    amountMinor: bigint;
    mark: string;
    scenario: string | null;
    type: TransactionType;
    category: string;
  }): BacktestRow {
    return {
      id: found.id,
      outcome: OUTCOMES[found.mark] ?? 'unknown',
      scenario: found.scenario,
      transaction: {
        at: found.time,
        type: found.type,
        amountMinor: found.amountMinor,
        exponent,
        account: found.account,
        category: found.category,
        counterparty: found.counterparty,
        instrument: null,
        ip: null,
        access: NO_ACCESS,
        settledAt: found.time,
        fraudKnownAt: found.mark === '1' ? found.time + labelDelay : null,
        isConfirmed: false,
      },
    };
  }

  return ({ rows, lines }: CsvPage): BacktestRow[] => {
    const page: BacktestRow[] = [];
    for (let index = 0; index < rows.length; index += 1) {
      const fields = rows[index] as readonly string[];
      const line = lines[index] as number;
      const row = (fields.length === columns.count ? plain(fields) : undefined) ?? checked(fields, line);
      if (row.transaction.at < previous) {
        throw new ReplayFileError(`line ${line}: ${fields[ts]?.trim()} is earlier than the row before. Sort by ts.`);
      }
      previous = row.transaction.at;
      n += 1;
      page.push(row);
    }
    return page;
  };
}

const OUTCOMES: Readonly<Record<string, KnownOutcome>> = { '0': 'clean', '1': 'fraud' };

/**
 * Names as they recur: one string for all their rows. A part of a line would keep the whole piece of the file it was cut
 * from, and comparing one string with itself takes no look at its characters.
 */
function createNames() {
  const known = new Map<string, string>();
  return {
    /** True for a name that was met before, or that is one. */
    isKnown: (name: string) => known.has(name) || IDENTIFIER.test(name),
    of(name: string): string {
      const found = known.get(name);
      if (found !== undefined) return found;
      const copy = Buffer.from(name).toString();
      known.set(copy, copy);
      return copy;
    },
  };
}

/** Reads `2018-06-01T00:35:57Z`, any other spelling is undefined. A day is looked at once. */
function createClock() {
  let day = '';
  let midnight = 0;
  const two = (text: string, at: number) => {
    const tens = text.charCodeAt(at) - 48;
    const ones = text.charCodeAt(at + 1) - 48;
    return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : 99;
  };
  return (ts: string): Micros | undefined => {
    if (ts.length !== 20 || ts[10] !== 'T' || ts[13] !== ':' || ts[16] !== ':' || ts[19] !== 'Z') return undefined;
    if (!ts.startsWith(day) || day === '') {
      const named = ts.slice(0, 10);
      const parsed = DAY.test(named) ? Date.parse(`${named}T00:00:00Z`) : Number.NaN;
      // Date takes 30 February for 2 March.
      if (Number.isNaN(parsed) || new Date(parsed).toISOString().slice(0, 10) !== named) return undefined;
      day = named;
      midnight = parsed * MICROS_PER_MILLISECOND;
    }
    const [hours, minutes, seconds] = [two(ts, 11), two(ts, 14), two(ts, 17)];
    if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
    return midnight + ((hours * 60 + minutes) * 60 + seconds) * MICROS_PER_SECOND;
  };
}

/** Any RFC 3339 time, to the microsecond. */
function microsOf(ts: string): Micros {
  const [, fraction = ''] = FRACTION.exec(ts) ?? [];
  return Date.parse(ts) * MICROS_PER_MILLISECOND + Number(fraction.padEnd(6, '0').slice(3, 6));
}

/** Two digits after the point, one or none. */
function centsOf(text: string): bigint {
  const point = text.indexOf('.');
  // Fifteen digits at most: a double holds them.
  if (point < 0) return BigInt(Number(text) * 100);
  const fraction = text.length - point - 1;
  return BigInt(Number(text.slice(0, point)) * 100 + Number(text.slice(point + 1)) * (fraction === 1 ? 10 : 1));
}

function minorOf(text: string, exponent: number, currency: string, fault: (message: string) => Error): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  if (/[1-9]/.test(fraction.slice(exponent))) throw fault(`${currency} has ${exponent} fraction digits`);
  const minor = BigInt(whole + fraction.slice(0, exponent).padEnd(exponent, '0'));
  if (minor > MAX_INT64) throw fault(`is more than ${formatAmount(MAX_INT64, exponent)}`);
  return minor;
}

/** A duration such as `7d`, `36h`, `90m`. @returns undefined for another text */
export function parseDuration(text: string): Micros | undefined {
  const [, count, unit] = /^(\d{1,5})([dhm])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  return Number(count) * ({ d: MICROS_PER_DAY, h: MICROS_PER_DAY / 24, m: MICROS_PER_DAY / 1_440 }[unit] ?? 0);
}
