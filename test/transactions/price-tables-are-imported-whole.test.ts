import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quoteFor } from '../../db/prices.ts';
import { oneRow } from '../../db/sql.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const CLI = fileURLToPath(new URL('../../cli/tradeguard.ts', import.meta.url));

describe('tradeguard prices import', () => {
  let stack: Stack;
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-prices-'));

  beforeAll(async () => {
    stack = await createStack({ worker: false });
  });
  afterAll(async () => {
    await stack.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function importTable(text: string): Promise<{ code: number; stdout: string; stderr: string }> {
    const file = join(folder, 'prices.csv');
    writeFileSync(file, text);
    const { config } = stack;
    const env = {
      ...process.env,
      NODE_ENV: 'test',
      DATABASE_URL: config.databaseUrl,
      SESSION_SECRET: config.sessionSecret,
      ENCRYPTION_PASSPHRASE: 'not used by this command',
      AUDIT_KEY: config.auditKey.export().toString('base64'),
    };
    const args = [CLI, 'prices', 'import', file, '--data-dir', folder, '--json'];
    return new Promise((resolve) => {
      execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      });
    });
  }

  const now = () => new Date(Date.now() - 1_000).toISOString();

  it('records dated prices and new instruments, and leaves an audit entry; twice is once', async () => {
    const at = now();
    const table = `instrument,at,price,name\nAAA,${at},12.5,First\nAAA,2026-01-05T14:30:00Z,11,\nBBB,${at},0.0001,Second\n`;
    const first = await importTable(table);
    expect(JSON.parse(first.stdout)).toEqual({ newInstruments: 2, inserted: 3, unchanged: 0, conflicting: [] });
    expect(await quoteFor(stack.db.fork(), 'AAA')).toMatchObject({ currency: 'USD', price: 125_000n });
    expect(await quoteFor(stack.db.fork(), 'BBB')).toMatchObject({ price: 1n });
    const again = await importTable(table);
    expect([again.code, JSON.parse(again.stdout)]).toMatchObject([0, { inserted: 0, unchanged: 3 }]);
    const { n } = await oneRow<{ n: number }>(
      stack.db.fork(),
      `select count(*)::int as n from audit_entry where action = 'price.imported'`,
    );
    expect(n).toBe(2);
  });

  it('a price that is recorded stays, and the exit status says so', async () => {
    const at = now();
    await importTable(`instrument,at,price\nCCC,${at},1\n`);
    const other = await importTable(`instrument,at,price\nCCC,${at},2\n`);
    expect(other.code).toBe(1);
    expect(JSON.parse(other.stdout).conflicting).toEqual([{ instrument: 'CCC', at }]);
    expect(await quoteFor(stack.db.fork(), 'CCC')).toMatchObject({ price: 10_000n });
  });

  it.each([
    ['a bad price', 'DDD,2026-01-05T14:30:00Z,-1', /line 3: price/],
    ['a bad time', 'DDD,yesterday,1', /line 3: at/],
    ['a bad instrument', 'd d,2026-01-05T14:30:00Z,1', /line 3: instrument/],
  ])('a table with %s in its last line is not imported at all', async (_, line, message) => {
    const { code, stderr } = await importTable(`instrument,at,price\nEEE,2026-01-05T14:30:00Z,1\n${line}\n`);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(await quoteFor(stack.db.fork(), 'EEE')).toBeUndefined();
  });
});
