import { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { sentWithTheNext } from '../../db/deferred-statements.ts';
import { rows, run, type Tx } from '../../db/sql.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';

const note = sentWithTheNext('insert into note (id) values ($1)');
let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  const { username } = new URL(database.url);
  await run(database.ownerDb.fork(), 'create table note (id integer primary key)');
  await run(database.ownerDb.fork(), `grant select, insert, delete on note to ${username}`);
});
beforeEach(() => run(database.db.fork(), 'delete from note'));
afterEach(() => vi.restoreAllMocks());
afterAll(() => database.close());

const add = (tx: Tx, id: number) => run(tx, note, [id]);
const stored = async (tx = database.db.fork()) =>
  (await rows<{ id: number }>(tx, 'select id from note order by id')).map(({ id }) => id);

/** Packets that `work` sends. */
async function packets(work: () => Promise<unknown>): Promise<number> {
  const sent = [vi.spyOn(Socket.prototype, '_write'), vi.spyOn(Socket.prototype, '_writev' as '_write')];
  await work();
  const count = sent.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  vi.restoreAllMocks();
  return count;
}

it('travels with the commit: a transaction with it sends no more packets than one without', async () => {
  const without = () => database.db.transaction((tx) => run(tx, 'select $1::int', [1]));
  const withIt = (id: number) =>
    database.db.transaction(async (tx) => {
      await run(tx, 'select $1::int', [1]);
      await add(tx, id);
      await add(tx, id + 1);
    });
  await without();
  expect(await packets(() => withIt(1))).toBe(await packets(without));
  expect(await stored()).toEqual([1, 2]);
});

it('is seen by what comes after it in the transaction, savepoints included', async () => {
  await database.db.transaction(async (tx) => {
    await add(tx, 1);
    expect(await stored(tx)).toEqual([1]);
    await tx
      .transactional(async (inner) => {
        await add(inner, 2);
        throw new Error('undone');
      })
      .catch(() => {});
    await tx.transactional((inner) => add(inner, 3));
  });
  expect(await stored()).toEqual([1, 3]);
});

it('fails the commit with its own error, and nothing is kept', async () => {
  await add(database.db.fork(), 7);
  const work = database.db.transaction(async (tx) => {
    await run(tx, 'insert into note (id) values ($1::int + 1)', [7]);
    await add(tx, 7);
  });
  await expect(work).rejects.toMatchObject({ code: '23505' });
  expect(await stored()).toEqual([7]);
});

it('fails the next statement with its own error, not with that of the aborted transaction', async () => {
  await add(database.db.fork(), 7);
  const work = database.db.transaction(async (tx) => {
    await add(tx, 7);
    await expect(run(tx, 'select $1::int', [1])).rejects.toMatchObject({ code: '23505' });
    throw new Error('given up');
  });
  await expect(work).rejects.toThrow('given up');
});

it('is undone with its transaction, and the connection goes on with nothing left over', async () => {
  for (let round = 0; round < 20; round++) {
    const work = database.db.transaction(async (tx) => {
      await add(tx, 1);
      throw new Error('undone');
    });
    await expect(work).rejects.toThrow('undone');
  }
  await database.db.transaction((tx) => add(tx, 2));
  expect(await stored()).toEqual([2]);
});

it('is sent at once outside of a transaction', async () => {
  await add(database.db.fork(), 1);
  // Another connection has nothing to send along.
  expect(await stored(database.ownerDb.fork())).toEqual([1]);
});
