import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rateInForce } from '../../db/exchange-rates.ts';
import { oneRow, run } from '../../db/sql.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const CLI = fileURLToPath(new URL('../../cli/tradeguard.ts', import.meta.url));

describe('exchange rates', () => {
  let stack: Stack;
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-rates-'));

  beforeAll(async () => {
    stack = await createStack({ worker: false });
  });
  afterAll(async () => {
    await stack.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function tradeguard(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const { config } = stack;
    const env = {
      ...process.env,
      NODE_ENV: 'test',
      DATABASE_URL: config.databaseUrl,
      SESSION_SECRET: config.sessionSecret,
      ENCRYPTION_PASSPHRASE: 'not used by this command',
      AUDIT_KEY: config.auditKey.export().toString('base64'),
    };
    return new Promise((resolve) => {
      execFile(process.execPath, [CLI, ...args, '--data-dir', folder, '--json'], { env }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      });
    });
  }
  function importTable(text: string) {
    const file = join(folder, 'rates.csv');
    writeFileSync(file, text);
    return tradeguard('rates', 'import', file);
  }
  const inForce = async (currency: string) =>
    (await rateInForce(stack.db.fork(), { baseCurrency: 'USD', currency }, null))?.rate;
  const past = () => new Date(Date.now() - 1_000).toISOString();

  it('are recorded by their date with an audit entry; twice is once; other columns do not matter', async () => {
    const at = past();
    const table = `currency,at,rate,source\nEUR,${at},1.0842,ECB\nEUR,2026-01-05T14:30:00Z,1.05,\nJPY,${at},0.0067123456,ECB\n`;
    const first = await importTable(table);
    expect([first.code, JSON.parse(first.stdout)]).toEqual([0, { inserted: 3, unchanged: 0, conflicting: [] }]);
    expect([await inForce('EUR'), await inForce('JPY')]).toEqual([10_842_000_000n, 67_123_456n]);
    const again = await importTable(table);
    expect([again.code, JSON.parse(again.stdout)]).toEqual([0, { inserted: 0, unchanged: 3, conflicting: [] }]);
    const { n } = await oneRow<{ n: number }>(
      stack.db.fork(),
      `select count(*)::int as n from audit_entry where action = 'exchange_rate.imported'`,
    );
    expect(n).toBe(2);
    const listed = await tradeguard('rates', 'list');
    expect(JSON.parse(listed.stdout)).toEqual([
      { currency: 'EUR', baseCurrency: 'USD', rate: '1.0842000000', ratedAt: at, stale: false },
      { currency: 'JPY', baseCurrency: 'USD', rate: '0.0067123456', ratedAt: at, stale: false },
    ]);
  });

  it('that are recorded stay, and the exit status says so; not even the program itself may change one', async () => {
    const at = past();
    await importTable(`currency,at,rate\nGBP,${at},1.25\n`);
    const other = await importTable(`currency,at,rate\nGBP,${at},1.26\nGBP,2026-01-05T14:30:00Z,1.2\n`);
    expect(other.code).toBe(1);
    expect(JSON.parse(other.stdout)).toEqual({ inserted: 1, unchanged: 0, conflicting: [{ currency: 'GBP', at }] });
    expect(await inForce('GBP')).toBe(12_500_000_000n);
    for (const statement of ['update exchange_rate set rate = 1', 'delete from exchange_rate']) {
      await expect(run(stack.db.fork(), statement)).rejects.toThrow(/permission denied/);
    }
  });

  it.each([
    ['a bad rate', 'CHF,2026-01-05T14:30:00Z,-1', /line 3: rate/],
    ['too many digits', 'CHF,2026-01-05T14:30:00Z,1.00000000001', /line 3: rate/],
    ['a bad time', 'CHF,yesterday,1', /line 3: at/],
    ['an unknown currency', 'XAU,2026-01-05T14:30:00Z,1', /line 3: currency: XAU is not known/],
    ['the base currency', 'USD,2026-01-05T14:30:00Z,1', /line 3: currency: USD is the base/],
  ])('a table with %s in its last line is not imported at all', async (_, line, message) => {
    const { code, stderr } = await importTable(`currency,at,rate\nSEK,2026-01-05T14:30:00Z,0.1\n${line}\n`);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(await inForce('SEK')).toBeUndefined();
  });

  it('come in by an administrator with a fresh factor as well, and everybody signed in sees those in force', async () => {
    const admin = await stack.people.signedIn('admin');
    const customer = await stack.people.signedIn('customer');
    const send = (rates: object[], token = admin.token) =>
      stack.api.post('/api/admin/exchange-rates', { rates }, { token });
    const at = past();
    const old = '2026-01-05T14:30:00.000Z';
    const first = await send([
      { currency: 'NOK', at, rate: '0.0955' },
      { currency: 'DKK', at: old, rate: '0.15' },
      { currency: 'DKK', at: new Date(Date.now() + 3_600_000).toISOString(), rate: '0.16' },
    ]);
    expect([first.status, first.body]).toEqual([200, { inserted: 3, unchanged: 0, conflicting: [] }]);
    expect((await send([{ currency: 'NOK', at, rate: '0.09550' }])).body).toMatchObject({ inserted: 0, unchanged: 1 });
    expect((await send([{ currency: 'NOK', at, rate: '0.1' }])).body.conflicting).toEqual([{ currency: 'NOK', at }]);
    for (const bad of [
      { currency: 'XAU', at, rate: '1' },
      { currency: 'USD', at, rate: '1' },
      { currency: 'NOK', at: 'now', rate: '1' },
      { currency: 'NOK', at, rate: '0' },
      { currency: 'NOK', at, rate: '1', base: 'EUR' },
    ]) {
      expect((await send([bad])).status).toBe(400);
    }
    expect((await send([{ currency: 'NOK', at, rate: '1' }], customer.token)).status).toBe(403);
    const { body } = await stack.api.get('/api/exchange-rates', { token: customer.token });
    expect(body.items).toContainEqual({
      ...{ currency: 'NOK', baseCurrency: 'USD', rate: '0.0955000000', ratedAt: at, stale: false },
    });
    expect(body.items).toContainEqual({
      ...{ currency: 'DKK', baseCurrency: 'USD', rate: '0.1500000000', ratedAt: old, stale: true },
    });
  });
});
