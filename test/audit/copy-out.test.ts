import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectForAudit } from '../../db/audit-connection.ts';
import { copyOut } from '../../db/copy-out.ts';
import { createDatabase } from '../helpers/database.ts';

const ROWS = 200_000;
const copyOf = (rows: number) => `copy (select n, repeat('x', 200) from generate_series(1, ${rows}) n) to stdout`;

let database: Awaited<ReturnType<typeof createDatabase>>;
let client: pg.Client;
beforeAll(async () => {
  database = await createDatabase();
  client = await connectForAudit(database.ownerUrl);
});
afterAll(async () => {
  await client?.end();
  await database?.close();
});

/** The number that each message begins with. */
async function numbers(rows: number, between: (batch: number) => Promise<void> = async () => {}): Promise<number[]> {
  const found: number[] = [];
  let batch = 0;
  for await (const messages of copyOut(client, copyOf(rows))) {
    await between(batch++);
    // Looked at only now: what was waited for must not have changed them.
    for (const message of messages) found.push(Number.parseInt(message.toString('latin1'), 10));
  }
  return found;
}

it('gives every row once and in order, and the connection back', async () => {
  for (const rows of [0, 1, 3_000]) {
    expect(await numbers(rows)).toEqual(Array.from({ length: rows }, (_, n) => n + 1));
  }
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

it('waits for who is slow: rows stay as they are, and nothing more is read', async () => {
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const found = await numbers(ROWS, async (batch) => {
    if (batch % 40 !== 0) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  });
  expect(found).toEqual(Array.from({ length: ROWS }, (_, n) => n + 1));
  // All of it is some 40 MB.
  expect(most).toBeLessThan(20e6);
});

it('throws what the statement throws, at its beginning and among its rows, and the connection goes on', async () => {
  const drain = async (text: string) => {
    let rows = 0;
    for await (const messages of copyOut(client, text)) rows += messages.length;
    return rows;
  };
  await expect(drain('copy (select no_such_column) to stdout')).rejects.toThrow(/no_such_column/);
  await expect(drain('copy (select 1 / (50000 - n) from generate_series(1, 90000) n) to stdout')).rejects.toThrow(
    /division by zero/,
  );
  expect(await numbers(2)).toEqual([1, 2]);
});

it('throws when the connection is lost among its rows', async () => {
  const lost = await connectForAudit(database.ownerUrl);
  const { rows } = await lost.query<{ pid: number }>('select pg_backend_pid() as pid');
  const reading = async () => {
    let batch = 0;
    for await (const _ of copyOut(lost, copyOf(ROWS * 5))) {
      batch += 1;
      if (batch === 2) await client.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    }
  };
  await expect(reading()).rejects.toThrow();
});

it('can be left before its end, when the connection is closed', async () => {
  const left = await connectForAudit(database.ownerUrl);
  for await (const messages of copyOut(left, copyOf(ROWS * 5))) {
    expect(messages.length).toBeGreaterThan(0);
    break;
  }
  await left.end();
});
