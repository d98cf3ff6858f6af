import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnInstance, startOwnInstance } from '../../cli/own-instance.ts';
import { runReplay } from '../../cli/replay.ts';

const SAMPLE = join(import.meta.dirname, '../../docs/sample-transactions.csv');
const ROWS = 348;

/** What rule set v1 makes of the sample: see the scenarios in cli/replay-sample.ts. */
const EXPECTED = {
  rows: ROWS,
  verdicts: { settled: 333, step_up: 8, held: 5, rejected: 2, not_accepted: 0 },
  outcomes: {
    stepUpPassed: 4,
    stepUpExpired: 3,
    stepUpThenHeld: 1,
    heldApproved: 3,
    heldRejected: 3,
    rejected: 2,
    unfinished: 0,
  },
  codes: { insufficient_funds: 2, review_rejected: 3, step_up_expired: 3 },
};

let instance: OwnInstance;

beforeAll(async () => {
  instance = await startOwnInstance({ env: { IMPORTER: '1', LOG_LEVEL: 'warn' } });
});
afterAll(() => instance?.stop());

async function sql<T>(text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: instance.endpoints.databaseOwner });
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}

const options = () => ({ dataDir: instance.dataDir, concurrency: 8 });
const never = () => new AbortController().signal;

const importedRows = async () =>
  (
    await sql<{ count: string }>(`select count(*) from transaction where virtual is not null and category <> 'funding'`)
  )[0]?.count;

async function interruptedRun(): Promise<number> {
  const interrupt = new AbortController();
  const running = runReplay(SAMPLE, options(), interrupt.signal);
  const journal = join(instance.dataDir, 'replay');
  while (Number(await importedRows()) < 60) await setTimeout(50);
  interrupt.abort();
  const result = await running;
  expect(result.complete).toBe(false);
  expect(result.journal.startsWith(journal)).toBe(true);
  return result.sent;
}

describe('a replay against a running installation', () => {
  it('stopped in the middle goes on where it stopped, and every verdict occurs', async () => {
    const sent = await interruptedRun();
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(ROWS);
    const result = await runReplay(SAMPLE, options(), never());
    expect(result).toMatchObject({ complete: true, sent: ROWS - sent });
    expect(result.report).toMatchObject(EXPECTED);
    expect(await importedRows()).toBe(String(ROWS));
  });

  it('leaves a ledger in which every final transaction is booked once, or not at all', async () => {
    const wrong = await sql(
      `select t.id from transaction t left join posting p on p.transaction_id = t.id
        where t.virtual is not null group by t.id, t.status
       having (t.status = 'settled') <> (count(p.id) = 1) or t.status not in ('settled', 'rejected')`,
    );
    expect(wrong).toEqual([]);
    const reserved = await sql(`select * from account_balance where reserved <> 0`);
    expect(reserved).toEqual([]);
  });

  it('repeated without its journal sends every row again, and no row counts twice', async () => {
    rmSync(join(instance.dataDir, 'replay'), { recursive: true });
    const before = await sql(`select sum(amount)::text as sum, count(*)::text as count from posting`);
    const result = await runReplay(SAMPLE, options(), never());
    expect(result).toMatchObject({ complete: true, sent: ROWS });
    expect(result.report).toMatchObject(EXPECTED);
    expect(await importedRows()).toBe(String(ROWS));
    expect(await sql(`select sum(amount)::text as sum, count(*)::text as count from posting`)).toEqual(before);
  });

  it('uses the recorded times: no burst is seen where the rows are days apart', async () => {
    const [features] = await sql<{ most: number; first: string; last: string }>(
      `select max((features ->> 'count_1h')::int) as most, min(t)::text as first, max(t)::text as last
         from transaction where virtual is not null and category <> 'funding'`,
    );
    expect(features?.most).toBeLessThan(10);
    expect(features?.first).toMatch(/^2026-01-05/);
    expect(features?.last).toMatch(/^2026-01-2/);
  });

  it('leaves a trace of whatever it did beside the API', async () => {
    const counts = await sql<{ action: string; count: string }>(
      `select action, count(*) from audit_entry where actor = 'replay' group by action order by action`,
    );
    expect(Object.fromEntries(counts.map(({ action, count }) => [action, Number(count)]))).toMatchObject({
      'account.created': 17,
      'transaction.factor_attested': 5,
      'user.created': 3,
      'session.created': 9,
      'session.revoked': 9,
    });
    const open = await sql(
      `select s.id from session s join app_user u on u.id = s.user_id
        where s.revoked_at is null and u.email like '%@import.invalid'`,
    );
    expect(open).toEqual([]);
  });

  it('as a command prints the report as JSON and nothing else', async () => {
    const cli = join(import.meta.dirname, '../../cli/tradeguard.ts');
    const child = spawn(process.execPath, [cli, 'replay', SAMPLE, '--data-dir', instance.dataDir, '--json']);
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    child.stderr.resume();
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    const { sent, report } = JSON.parse(printed);
    expect(sent).toBe(0);
    expect(report).toMatchObject(EXPECTED);
    expect(report.quality.held).toEqual({ flagged: 6, truePositives: 3, precision: 0.5, recall: 3 / 27 });
  });

  it('says in a sentence when nothing runs there', async () => {
    await expect(runReplay(SAMPLE, { dataDir: '/nowhere', concurrency: 1 }, never())).rejects.toThrow(
      /nothing runs there.*IMPORTER=1/,
    );
  });
});
