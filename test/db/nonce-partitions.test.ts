import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { maintainNoncePartitions, spendNonce } from '../../db/nonces.ts';
import { oneRow, rows, run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';

const WIDTH_SECONDS = 600;
const userId = uuidV7();
const keyId = uuidV7();
let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
  await run(
    database.db.fork(),
    `insert into app_user (id, email, email_key, full_name, role) values ($1, 'a@example.com', 'a@example.com', 'A', 'customer')`,
    [userId],
  );
  await run(
    database.db.fork(),
    `insert into signing_key (id, user_id, secret, status) values ($1, $2, 'never read here', 'active')`,
    [keyId, userId],
  );
});
afterAll(() => database.close());
beforeEach(async () => {
  await run(database.ownerDb.fork(), 'truncate request_nonce');
  await maintainNoncePartitions(database.db.fork());
});

const now = () => Date.now() / 1000;
const slotOf = (seconds: number) => Math.floor(seconds / WIDTH_SECONDS);
const nameOf = (slot: number) => `request_nonce_${slot}`;
const spend = (nonce = randomUUID(), seconds = now()) =>
  spendNonce(database.db.fork(), { keyId, userId, nonce, timestamp: String(Math.floor(seconds)) });
const maintain = () => maintainNoncePartitions(database.db.fork());

async function partitions(): Promise<string[]> {
  const found = await rows<{ name: string }>(
    database.ownerDb.fork(),
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'request_nonce'::regclass order by 1`,
  );
  return found.map(({ name }) => name);
}

async function homeOf(nonce: string): Promise<string | undefined> {
  const found = await rows<{ home: string }>(
    database.ownerDb.fork(),
    'select tableoid::regclass::text as home from request_nonce where nonce = $1',
    [nonce],
  );
  return found[0]?.home;
}

/** As if maintenance had not run for so long that no partition is left. */
async function dropPartitions(): Promise<void> {
  for (const name of await partitions()) {
    if (name !== 'request_nonce_rest') await run(database.ownerDb.fork(), `drop table ${name}`);
  }
}

describe('partitions of nonces', () => {
  it('reach from the oldest time that still counts to three ahead', async () => {
    const slots = Array.from(
      { length: slotOf(now()) + 3 - slotOf(now() - 360) + 1 },
      (_, n) => slotOf(now() - 360) + n,
    );
    expect(await partitions()).toEqual([...slots.map(nameOf), 'request_nonce_rest']);
    expect(await maintain()).toEqual({ created: 0, dropped: 0, strays: 0 });
  });

  it('take a nonce by the time it was signed at', async () => {
    const nonce = randomUUID();
    const seconds = now() + 290;
    expect((await spend(nonce, seconds)).outcome).toBe('fresh');
    expect(await homeOf(nonce)).toBe(nameOf(slotOf(seconds)));
  });

  it('are dropped whole once nothing in them can pass any more, and not before', async () => {
    const old = slotOf(now() - 360) - 1;
    await run(
      database.ownerDb.fork(),
      `create table ${nameOf(old)} partition of request_nonce
         for values from (to_timestamp(${old * WIDTH_SECONDS})) to (to_timestamp(${(old + 1) * WIDTH_SECONDS}))`,
    );
    await run(database.ownerDb.fork(), 'insert into request_nonce values ($1, $2, to_timestamp($3))', [
      keyId,
      randomUUID(),
      (old + 1) * WIDTH_SECONDS - 1,
    ]);
    const nonce = randomUUID();
    await spend(nonce, now() - 299);
    expect(await maintain()).toEqual({ created: 0, dropped: 1, strays: 0 });
    expect(await partitions()).not.toContain(nameOf(old));
    expect((await spend(nonce, now() - 200)).outcome).toBe('nonce_replayed');
  });

  it('are missing when maintenance was late: requests go on, replays do not, and it is told', async () => {
    await dropPartitions();
    const nonce = randomUUID();
    expect((await spend(nonce)).outcome).toBe('fresh');
    expect(await homeOf(nonce)).toBe('request_nonce_rest');
    expect((await spend(nonce)).outcome).toBe('nonce_replayed');

    expect(await maintain()).toMatchObject({ dropped: 0, strays: 1 });
    expect(await homeOf(nonce)).toMatch(/^request_nonce_\d+$/);
    expect((await spend(nonce)).outcome).toBe('nonce_replayed');
    expect((await maintain()).strays).toBe(0);
  });

  it('do not keep what strayed and has run out', async () => {
    await dropPartitions();
    await run(
      database.ownerDb.fork(),
      `insert into request_nonce values ($1, $2, clock_timestamp() - interval '1 day')`,
      [keyId, randomUUID()],
    );
    expect((await maintain()).strays).toBe(1);
    expect(await oneRow(database.ownerDb.fork(), 'select count(*)::int as n from request_nonce')).toEqual({ n: 0 });
  });

  it('come and go under load without a nonce passing twice or a request failing', async () => {
    const nonces = Array.from({ length: 60 }, () => randomUUID());
    await dropPartitions();
    const work = nonces.flatMap((nonce, n) => [
      spend(nonce, now() - (n % 250)),
      spend(nonce, now() - ((n + 7) % 250)),
      ...(n % 15 === 7 ? [maintain().then(() => undefined)] : []),
    ]);
    const outcomes = (await Promise.all(work)).flatMap((spent) => spent?.outcome ?? []);
    expect(outcomes.filter((outcome) => outcome === 'fresh')).toHaveLength(60);
    expect(outcomes.filter((outcome) => outcome === 'nonce_replayed')).toHaveLength(60);
    expect(await oneRow(database.ownerDb.fork(), 'select count(*)::int as n from request_nonce')).toEqual({ n: 60 });
  });

  it('cannot be emptied by the application', async () => {
    const nonce = randomUUID();
    await spend(nonce);
    for (const attempt of [
      'delete from request_nonce',
      'update request_nonce set nonce = gen_random_uuid()',
      'truncate request_nonce',
      `drop table ${await homeOf(nonce)}`,
      `select * from ${await homeOf(nonce)}`,
    ]) {
      await expect(run(database.db.fork(), attempt), attempt).rejects.toThrow(/permission denied|must be owner/);
    }
    expect((await spend(nonce)).outcome).toBe('nonce_replayed');
  });
});

describe('a nonce', () => {
  it.each([
    ['an unknown key', { keyId: randomUUID() }, 'key_unknown'],
    ['somebody else', { userId: randomUUID() }, 'key_of_another_user'],
    ['a time that is over', { timestamp: String(Math.floor(now()) - 302) }, 'timestamp_old'],
    ['a time to come', { timestamp: String(Math.floor(now()) + 360) }, 'timestamp_future'],
    ['the latest time there is', { timestamp: '9999999999' }, 'timestamp_future'],
    ['the first time there is', { timestamp: '0000000000' }, 'timestamp_old'],
  ])('is not used up by %s', async (_who, given, outcome) => {
    const nonce = randomUUID();
    const usual = { keyId, userId, nonce, timestamp: String(Math.floor(now())) };
    expect((await spendNonce(database.db.fork(), { ...usual, ...given })).outcome).toBe(outcome);
    expect(await homeOf(nonce)).toBeUndefined();
  });

  it('is the pair with its key: another key may draw the same', async () => {
    const other = uuidV7();
    await run(
      database.db.fork(),
      `insert into signing_key (id, user_id, secret, status) values ($1, $2, 'never read here', 'active')`,
      [other, userId],
    );
    const nonce = randomUUID();
    const usual = { userId, nonce, timestamp: String(Math.floor(now())) };
    expect((await spendNonce(database.db.fork(), { ...usual, keyId })).outcome).toBe('fresh');
    expect((await spendNonce(database.db.fork(), { ...usual, keyId: other })).outcome).toBe('fresh');
  });
});
