import { afterAll, beforeAll, expect, it } from 'vitest';
import { createOrm, type Database } from '../../db/orm.ts';
import { oneRow, rows } from '../../db/sql.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';
import { eventually } from '../helpers/eventually.ts';

const POOL_MAX = 3;
const SLEEPERS = `from pg_stat_activity where application_name = 'small-pool' and wait_event = 'PgSleep'`;
let database: TestDatabase;
let small: Database;
beforeAll(async () => {
  database = await createDatabase();
  small = await createOrm({ databaseUrl: database.url, poolMax: POOL_MAX, applicationName: 'small-pool' });
});
afterAll(async () => {
  await small?.close();
  await database?.close();
});

it('sessions that the server ended inside transactions give their places in the pool back', async () => {
  for (let round = 0; round < 3; round++) {
    const held = Array.from({ length: POOL_MAX }, () =>
      small.transaction(async (tx) => {
        await rows(tx, 'select 1');
        await rows(tx, 'select pg_sleep(30)');
      }),
    );
    const outcomes = Promise.allSettled(held);
    await eventually(async () => (await asleep()) === POOL_MAX, { what: 'every session at work' });
    await rows(database.db.fork(), `select pg_terminate_backend(pid) ${SLEEPERS}`);
    expect((await outcomes).map(({ status }) => status)).toEqual(Array(POOL_MAX).fill('rejected'));
  }
  // More at once than the pool has places: each must get one in its turn.
  const answers = await Promise.all(
    Array.from({ length: POOL_MAX * 2 }, () => small.transaction((tx) => rows(tx, 'select 1 as one'))),
  );
  expect(answers.flat()).toEqual(Array(POOL_MAX * 2).fill({ one: 1 }));
});

async function asleep(): Promise<number> {
  const { count } = await oneRow<{ count: number }>(
    database.db.fork(),
    `select count(*)::integer as count ${SLEEPERS}`,
  );
  return count;
}
