import { afterAll, beforeAll, expect, test } from 'vitest';
import { row, rows } from '../../db/sql.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.close());

const prepared = `select statement, generic_plans + custom_plans as plans from pg_prepared_statements where statement = $1`;

test('a statement is parsed once a connection, however often it runs, inside and outside of transactions', async () => {
  const text = 'select $1::int + 1 as n';
  await database.db.transaction(async (tx) => {
    for (let n = 0; n < 3; n++) expect(await row(tx, text, [n])).toEqual({ n: n + 1 });
    expect(await rows(tx, prepared, [text])).toEqual([{ statement: text, plans: '3' }]);
  });
});

test('a statement that fails leaves the next one of the same text usable', async () => {
  const text = 'select 1 / $1::int as n';
  await expect(database.db.transaction((tx) => row(tx, text, [0]))).rejects.toThrow();
  expect(await row(database.db.fork(), text, [1])).toEqual({ n: 1 });
});

test('texts without parameters stay unnamed: nothing is gained, and they may hold several statements', async () => {
  const text = 'select 42 as n';
  await database.db.transaction(async (tx) => {
    await rows(tx, text);
    expect(await rows(tx, prepared, [text])).toEqual([]);
  });
});
