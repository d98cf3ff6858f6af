import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKeyring } from '../../db/keyring.ts';
import { oneRow, run } from '../../db/sql.ts';
import { loadConfig } from '../../platform/config.ts';
import { eventually } from '../helpers/eventually.ts';
import { type ApiMember, createFleet, type Fleet } from '../helpers/fleet.ts';
import { createPeople } from '../helpers/people.ts';

const ACQUIRE_MS = 800;
const STATEMENT_MS = 1_000;
/** The program waits this long for a lock, so the limit of a statement has to end it before. */
const LOCK_MS = 2_000;
const CALLERS = 45;

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
}, 180_000);
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

/** How long the longest of its statements has waited for a lock, milliseconds, as the server counts it. */
const longestWait = async () =>
  (
    await oneRow<{ ms: number }>(
      fleet.database.ownerDb.fork(),
      `select coalesce(max(extract(epoch from clock_timestamp() - waitstart) * 1000), 0)::float8 as ms
         from pg_locks where not granted and relation = 'instrument'::regclass`,
    )
  ).ms;

const ask = async () => {
  const started = performance.now();
  const { status, body } = await member.api.get('/api/instruments', { token });
  return { status, code: body.code as string | undefined, ms: performance.now() - started };
};

describe('[C10] the database pool of a process', () => {
  it('is 20 connections and 10 more under load; calls beyond and statements that hang are ended by their limits', async () => {
    expect((await ask()).status).toBe(200);
    const answers: Awaited<ReturnType<typeof ask>>[] = [];
    let [most, waited] = [0, 0];
    await fleet.database.ownerDb.transaction(async (tx) => {
      await run(tx, 'lock table instrument in access exclusive mode');
      let isOver = false;
      const calling = Array.from({ length: CALLERS }, async () => {
        while (!isOver) answers.push(await ask());
      });
      const deadline = Date.now() + 40_000;
      // Until it is full and every caller was refused more than once: a slow machine takes a while to open connections.
      while (Date.now() < deadline && (most < 30 || answers.length < 3 * CALLERS)) {
        most = Math.max(most, await connections());
        waited = Math.max(waited, await longestWait());
        // A transaction that does nothing would be ended.
        await run(tx, 'select 1');
      }
      isOver = true;
      await Promise.all(calling);
    });

    expect(most).toBe(30);
    expect(new Set(answers.map(({ status, code }) => `${status} ${code}`))).toEqual(
      new Set(['503 database_unavailable']),
    );
    // Who got no connection was told after the limit for that, long before any held statement can have ended.
    const fastest = Math.min(...answers.map(({ ms }) => ms));
    expect(fastest).toBeGreaterThanOrEqual(ACQUIRE_MS - 20);
    expect(fastest).toBeLessThan(LOCK_MS);
    expect(waited).toBeGreaterThan(STATEMENT_MS / 2);
    expect(waited).toBeLessThan((STATEMENT_MS + LOCK_MS) / 2);
  });

  it('afterwards serves as before, keeps 20 and gives the 10 back', async () => {
    expect((await ask()).status).toBe(200);
    await eventually(async () => (await connections()) === 20, { what: 'the overflow closed' });
    // Twice the time in which an idle connection of the overflow is closed.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await connections()).toBe(20);
  });
});
