import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKeyring } from '../../db/keyring.ts';
import { oneRow, run } from '../../db/sql.ts';
import { loadConfig } from '../../platform/config.ts';
import { eventually } from '../helpers/eventually.ts';
import { type ApiMember, createFleet, type Fleet } from '../helpers/fleet.ts';
import { createPeople } from '../helpers/people.ts';

const ACQUIRE_MS = 300;
const STATEMENT_MS = 1_000;
/** The program waits this long for a lock; the statement's limit is to be the shorter one here. */
const LOCK_MS = 2_000;
const REQUESTS = 45;

let fleet: Fleet;
let member: ApiMember;
let token: string;
beforeAll(async () => {
  fleet = await createFleet({
    apis: 1,
    workers: 0,
    env: () => ({
      DB_ACQUIRE_TIMEOUT: `${ACQUIRE_MS}ms`,
      DB_STATEMENT_TIMEOUT: `${STATEMENT_MS}ms`,
      DB_IDLE_TIMEOUT: '500ms',
    }),
  });
  [member] = fleet.apis as [ApiMember];
  const config = loadConfig(fleet.env);
  const { db } = fleet.database;
  const people = createPeople({ api: member.api, db, keyring: await openKeyring(db, config), config });
  ({ token } = await people.signedIn('customer'));
});
afterAll(() => fleet?.stop());

/** Connections of the API process, as the server counts them. */
const connections = async () =>
  Number(
    (
      await oneRow<{ n: string }>(
        fleet.database.ownerDb.fork(),
        `select count(*) as n from pg_stat_activity
          where application_name = 'tradeguard-api' and datname = current_database()`,
      )
    ).n,
  );

const ask = async () => {
  const started = performance.now();
  const { status, body } = await member.api.get('/api/instruments', { token });
  return { status, code: body.code as string | undefined, ms: performance.now() - started };
};

describe('[C10] the database pool of a process', () => {
  it('is 20 connections and 10 more under load; beyond, calls wait for the time allowed and are refused', async () => {
    expect((await ask()).status).toBe(200);
    const release = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const holding = fleet.database.ownerDb.transaction(async (tx) => {
      await run(tx, 'lock table instrument in access exclusive mode');
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    let most = 0;
    let isOver = false;
    const asking = Promise.all(Array.from({ length: REQUESTS }, ask)).finally(() => {
      isOver = true;
    });
    while (!isOver) most = Math.max(most, await connections());
    const answers = (await asking).toSorted((a, b) => a.ms - b.ms);
    release.resolve();
    await holding;

    expect(most).toBe(30);
    expect(new Set(answers.map(({ status, code }) => `${status} ${code}`))).toEqual(
      new Set(['503 database_unavailable']),
    );
    // First those that got no connection, then those whose statement took too long.
    const [first, firstOfBlocked] = [answers[0]?.ms ?? 0, answers[REQUESTS - 30]?.ms ?? 0];
    expect(first).toBeGreaterThanOrEqual(ACQUIRE_MS - 20);
    expect(first).toBeLessThan(STATEMENT_MS);
    expect(firstOfBlocked).toBeGreaterThanOrEqual(STATEMENT_MS - 20);
    expect(firstOfBlocked).toBeLessThan(LOCK_MS);
  });

  it('afterwards serves as before, keeps 20 and gives the 10 back', async () => {
    expect((await ask()).status).toBe(200);
    await eventually(async () => (await connections()) === 20, { what: 'the overflow closed' });
    // Twice the time in which an idle connection of the overflow is closed.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await connections()).toBe(20);
  });
});
