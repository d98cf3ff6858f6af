import { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { sentWithTheNext } from '../../db/deferred-statements.ts';
import { createOrm, type Database } from '../../db/orm.ts';
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

/** What `work` sends: for each packet the types of its messages (PostgreSQL protocol 3.0: B is Bind, S is Sync, Q is a text alone). */
async function packets(work: () => Promise<unknown>): Promise<string[]> {
  const sent: string[] = [];
  type Write = (chunk: unknown, ...rest: unknown[]) => unknown;
  for (const method of ['_write', '_writev'] as const) {
    const original = Socket.prototype[method as '_write'] as Write;
    vi.spyOn(Socket.prototype, method as '_write').mockImplementation(function (this: Socket, ...given: unknown[]) {
      const chunks = method === '_write' ? [given[0]] : (given[0] as { chunk: unknown }[]).map(({ chunk }) => chunk);
      sent.push(typesOf(Buffer.concat(chunks as Buffer[])));
      return original.apply(this, given as Parameters<Write>);
    });
  }
  await work();
  vi.restoreAllMocks();
  return sent;
}

function typesOf(packet: Buffer): string {
  let types = '';
  for (let at = 0; at < packet.length; at += 1 + packet.readUInt32BE(at + 1))
    types += String.fromCharCode(packet[at] ?? 0);
  return types;
}

it('travels with the commit, and nothing between them asks for an answer', async () => {
  const without = () => database.db.transaction((tx) => run(tx, 'select $1::int', [1]));
  const withIt = (id: number) =>
    database.db.transaction(async (tx) => {
      await run(tx, 'select $1::int', [1]);
      await add(tx, id);
      await add(tx, id + 1);
    });
  await without();
  expect(await packets(without)).toEqual(['Q', 'BDES', 'Q']);
  const first = await packets(() => withIt(1));
  expect(first).toHaveLength(3);
  expect(await packets(() => withIt(3))).toEqual(['Q', 'BDES', 'BEBEQ']);
  expect(await stored()).toEqual([1, 2, 3, 4]);
});

it('travels with a statement, whose answer the caller gets', async () => {
  const both = (id: number) =>
    database.db.transaction(async (tx) => {
      await add(tx, id);
      return rows<{ id: number }>(tx, 'select id from note where id >= $1 order by id', [id]);
    });
  expect(await both(1)).toEqual([{ id: 1 }]);
  const sent = await packets(async () => expect(await both(2)).toEqual([{ id: 2 }]));
  expect(sent).toEqual(['Q', 'BEBDES', 'Q']);
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

describe.each(['a connection that has not parsed it', 'one that has'])('on %s', (which) => {
  let db: Database;
  beforeEach(async () => {
    db = await createOrm({ databaseUrl: database.url, poolMax: 1, applicationName: 'test' });
    if (which === 'one that has') await db.transaction((tx) => add(tx, 100));
    await run(database.ownerDb.fork(), 'insert into note (id) values (7)');
  });
  afterEach(() => db.close());
  const expected = which === 'one that has' ? [7, 100] : [7];

  it('fails the commit with its own error, and nothing is kept', async () => {
    const work = db.transaction(async (tx) => {
      await run(tx, 'insert into note (id) values ($1::int + 1)', [7]);
      await add(tx, 7);
    });
    await expect(work).rejects.toMatchObject({ code: '23505' });
    expect(await stored()).toEqual(expected);
    // The connection is in step with its answers.
    expect(await db.transaction((tx) => rows(tx, 'select $1::int as n', [5]))).toEqual([{ n: 5 }]);
  });

  it('fails the next statement with its own error, not with that of the aborted transaction', async () => {
    const work = db.transaction(async (tx) => {
      await add(tx, 7);
      await expect(run(tx, 'select $1::int', [1])).rejects.toMatchObject({ code: '23505' });
      throw new Error('given up');
    });
    await expect(work).rejects.toThrow('given up');
    expect(await db.transaction((tx) => rows(tx, 'select $1::int as n', [5]))).toEqual([{ n: 5 }]);
  });

  it('fails in the middle: what stood ahead of it is undone, what stands behind it is skipped', async () => {
    const work = db.transaction(async (tx) => {
      for (const id of [1, 7, 2]) await add(tx, id);
    });
    await expect(work).rejects.toMatchObject({ code: '23505' });
    expect(await stored()).toEqual(expected);
  });
});

it('fails where it stands when a parameter cannot be sent', async () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const work = database.db.transaction(async (tx) => {
    await expect(run(tx, note, [circle])).rejects.toThrow('circular');
    await add(tx, 1);
  });
  await work;
  expect(await stored()).toEqual([1]);
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
