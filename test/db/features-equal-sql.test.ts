import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows } from '../../db/sql.ts';
import { NO_ACCESS, type TransactionFeatures } from '../../domain/risk/features.ts';
import { createHistory, type HistoryRow } from '../../domain/risk/history.ts';
import { VOCABULARY } from '../../domain/risk/vocabulary.ts';
import type { TransactionType } from '../../domain/transaction.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';

const MINUTE = 60_000_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = 20_000 * DAY;

/** The window of a counterparty is asked for three times: payments whose outcome is known, and confirmed frauds. */
const WINDOW = (days: number) => `
  (select coalesce(sum(case when d.day < i.day - 7 then d.payments else d.frauds + d.own end), 0) as payments,
          coalesce(sum(d.frauds), 0) as frauds,
          ((coalesce(sum(d.frauds), 0) + 0.25 * coalesce(sum(d.own), 0))
            / (coalesce(sum(case when d.day < i.day - 7 then d.payments else d.frauds + d.own end), 0) + 2))::float8 as risk
     from cp_day d where d.n = i.n and d.day >= i.day - 7 - ${days})`;
const DEFINITION = readFileSync(new URL('features-by-definition.sql', import.meta.url), 'utf8').replaceAll(
  /\(select \* from window_of\(i\.n, i\.day, (\d+)\)\)/g,
  (_, days) => WINDOW(Number(days)),
);

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database?.close());

/** Few accounts, payees and amounts, so that they meet; gaps around the edges of every window. */
const step = fc.record({
  gap: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 20 * HOUR }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 3 * HOUR }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 1, HOUR - 1, HOUR, DAY - 1, DAY, DAY + 1, 3 * DAY, 8 * DAY, 31 * DAY) },
  ),
  type: fc.constantFrom<TransactionType>('withdrawal', 'withdrawal', 'withdrawal', 'transfer', 'buy'),
  amountMinor: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 900, max: 2_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 90_000 }) },
  ),
  account: fc.constantFrom('a', 'a', 'b'),
  category: fc.constantFrom('other', 'fees'),
  counterparty: fc.constantFrom('x', 'x', 'x', 'y', null),
  settles: fc.option(fc.constantFrom(0, 0, 0, 0, HOUR, 2 * DAY, 9 * DAY, 95 * DAY), { freq: 8 }),
  fraudAfter: fc.integer({ min: 0, max: 1_000 }),
  isFraud: fc.constantFrom(true, ...new Array<false>(14).fill(false)),
  isConfirmed: fc.constantFrom(true, false, false),
  changedBefore: fc.option(fc.integer({ min: 0, max: 3 * DAY })),
  loginBefore: fc.option(fc.integer({ min: 0, max: 2 * DAY })),
  loginRisk: fc.constantFrom(0, 0.25, 0.8),
});

const BLOCK = 20;

/**
 * Transactions, over two months or most of a year, and which counterparties are in the hands of fraudsters in which
 * stretches of them.
 */
const recorded = fc.record({
  steps: fc.array(step, { minLength: 40, maxLength: 160 }),
  slower: fc.constantFrom(1, 4),
  taken: fc.array(fc.constantFrom('', '', 'x', 'y', 'xy'), { minLength: 160 / BLOCK, maxLength: 160 / BLOCK }),
});

type Recorded = typeof recorded extends fc.Arbitrary<infer T> ? T : never;

/** @param latest a label is known at most so long after its transaction */
function history({ steps, slower, taken }: Recorded, latest: number): HistoryRow[] {
  let at = START;
  return steps.map((one, n) => {
    at += one.gap * slower;
    const isTaken = one.counterparty !== null && taken[Math.floor(n / BLOCK)]?.includes(one.counterparty) === true;
    const isFraud = one.isFraud || isTaken;
    const settledAt = one.settles === null ? null : at + one.settles;
    // What is known to be a fraud does not settle any more.
    const fraudAt = isFraud ? at + Math.round((latest * one.fraudAfter) / 1_000) : null;
    const settlesFirst = settledAt === null || fraudAt === null || settledAt <= fraudAt;
    return {
      at,
      type: one.type,
      amountMinor: BigInt(one.amountMinor),
      exponent: 2,
      account: one.account,
      category: one.category,
      counterparty: one.counterparty,
      instrument: null,
      ip: null,
      access: {
        loginRisk: one.loginRisk,
        loginAt: one.loginBefore === null ? null : at - one.loginBefore,
        changedAt: one.changedBefore === null ? null : at - one.changedBefore,
      },
      settledAt: settlesFirst ? settledAt : null,
      fraudKnownAt: fraudAt,
      isConfirmed: one.isConfirmed,
    };
  });
}

async function byDefinition(past: readonly HistoryRow[]): Promise<Record<string, unknown>[]> {
  const json = past.map((row, n) => ({
    n,
    at: row.at,
    type: row.type,
    amount: Number(row.amountMinor),
    account: row.account,
    category: row.category,
    counterparty: row.counterparty,
    settled_at: row.settledAt,
    fraud_at: row.fraudKnownAt,
    confirmed: row.isConfirmed,
    login_risk: row.access.loginRisk,
    login_at: row.access.loginAt,
    changed_at: row.access.changedAt,
  }));
  return rows(database.db.fork(), DEFINITION, [JSON.stringify(json)]);
}

function close(found: unknown, wanted: unknown): boolean {
  if (typeof found !== 'number') return found === wanted;
  const number = Number(wanted);
  return Math.abs(found - number) <= 1e-9 * Math.max(1, Math.abs(number));
}

async function compare(past: readonly HistoryRow[], names: ReadonlyArray<keyof TransactionFeatures>): Promise<void> {
  const wanted = await byDefinition(past);
  const { observe } = createHistory();
  for (const [n, row] of past.entries()) {
    const features = observe(row);
    const wrong = names.filter((name) => !close(features[name], wanted[n]?.[name]));
    expect(wrong.map((name) => `row ${n} ${name}: ${features[name]}, by definition ${wanted[n]?.[name]}`)).toEqual([]);
  }
}

const ALL = Object.keys(VOCABULARY) as Array<keyof TransactionFeatures>;
const RUNS = ALL.filter((name) => name.startsWith('counterparty_run'));

describe('the features of the folds are those of their definition in SQL', () => {
  const RUNS_OF_IT = { numRuns: 100, endOnFailure: true };

  it('where every fraud is known within the days that are waited for', async () => {
    await fc.assert(
      fc.asyncProperty(recorded, (drawn) => compare(history(drawn, 7 * DAY), ALL)),
      RUNS_OF_IT,
    );
  });

  it('where labels come late: everything but the runs, which depend on what was folded before', async () => {
    await fc.assert(
      fc.asyncProperty(recorded, (drawn) =>
        compare(
          history(drawn, 20 * DAY),
          ALL.filter((name) => !RUNS.includes(name)),
        ),
      ),
      RUNS_OF_IT,
    );
  });

  it('where many runs of frauds end, so that what is typical of them changes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(run, { minLength: 6, maxLength: 14 }), (runs) =>
        compare(inTime(runs.flatMap(rowsOfRun)), ALL),
      ),
      RUNS_OF_IT,
    );
  });

  it('where the account was taken over about the time of a payment', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -9, max: 33 }), fc.integer({ min: 0, max: DAY - 1 }), (days, more) => {
        const usual = Array.from({ length: 6 }, (_, n) => plain(START + n * HOUR, { counterparty: 'z' }));
        const taken = START + 40 * DAY;
        const paid = taken + days * DAY + more;
        const known = Math.max(taken, paid) + 2 * DAY;
        return compare(
          inTime([
            ...usual,
            plain(taken, { amountMinor: 900_000n, counterparty: 'z', settledAt: null, fraudKnownAt: taken + DAY }),
            plain(paid, { counterparty: 'x', settledAt: null, fraudKnownAt: known }),
            plain(known + DAY, { account: 'b', counterparty: 'x' }),
          ]),
          ALL.filter((name) => !RUNS.includes(name)),
        );
      }),
      RUNS_OF_IT,
    );
  });
});

/** A payment of 10.00 by `a` that settles at once, and what a test says otherwise of it. */
function plain(at: number, fields: Partial<HistoryRow>): HistoryRow {
  return {
    at,
    type: 'withdrawal',
    amountMinor: 1_000n,
    exponent: 2,
    account: 'a',
    category: 'other',
    counterparty: null,
    instrument: null,
    ip: null,
    access: NO_ACCESS,
    settledAt: at,
    fraudKnownAt: null,
    isConfirmed: false,
    ...fields,
  };
}

/** Frauds at a counterparty, a clean payment before and one after, and one when the end can be known. */
const run = fc.record({
  counterparty: fc.constantFrom('p', 'q', 'r', 's', 't', 'u'),
  begins: fc.integer({ min: 0, max: 150 }),
  frauds: fc.integer({ min: 1, max: 4 }),
  apart: fc.integer({ min: 1, max: 14 }),
  cleanAfter: fc.integer({ min: 0, max: 9 }),
  seenAfter: fc.integer({ min: 7, max: 12 }),
  label: fc.integer({ min: 0, max: 7 * DAY }),
});

type Run = typeof run extends fc.Arbitrary<infer T> ? T : never;

/** Everybody pays once: nothing about the payer explains a fraud. */
function rowsOfRun(
  { counterparty, begins, frauds, apart, cleanAfter, seenAfter, label }: Run,
  n: number,
): HistoryRow[] {
  const day = (days: number, fields: Partial<HistoryRow> = {}) =>
    plain(START + (begins + days) * DAY, { counterparty, account: `payer ${n} ${days}`, ...fields });
  const ends = 2 + frauds * apart + cleanAfter;
  return [
    day(0),
    ...Array.from({ length: frauds }, (_, at) => {
      const days = 2 + at * apart;
      return day(days, { settledAt: null, fraudKnownAt: START + (begins + days) * DAY + label });
    }),
    day(ends),
    day(ends + seenAfter),
  ];
}

function inTime(rowsOfAll: readonly HistoryRow[]): HistoryRow[] {
  return rowsOfAll.toSorted((a, b) => a.at - b.at);
}
