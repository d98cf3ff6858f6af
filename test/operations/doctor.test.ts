import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../db/sql.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const BIN = join(import.meta.dirname, '../../cli/bin.js');
const PASSPHRASE = 'a passphrase that must not be seen';

interface Finding {
  id: string;
  phase: string;
  title: string;
  state: 'ok' | 'warn' | 'fail';
  detail: string;
  advice?: string;
}

let stack: Stack;
let folder: string;
let healthy: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-doctor-'));
  stack = await createStack({ schedules: true, env: { DATABASE_BACKUP_URL: '', DATABASE_DRILL_URL: '' } });
  await stack.people.signedIn('admin');
  const { config } = stack;
  healthy = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'test',
    PORT: new URL(stack.url).port,
    DATA_DIR: folder,
    DATABASE_URL: config.databaseUrl,
    TEMPORAL_ADDRESS: config.temporalAddress,
    TASK_QUEUE_PREFIX: config.taskQueuePrefix,
    SESSION_SECRET: config.sessionSecret,
    ENCRYPTION_PASSPHRASE: PASSPHRASE,
    AUDIT_KEY: config.auditKey.export().toString('base64'),
  };
});
afterAll(async () => {
  await stack?.close();
  rmSync(folder, { recursive: true, force: true });
});

function tradeguard(args: string[], env: Record<string, string>): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, 'doctor', ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr });
    });
  });
}

async function examine(env: Record<string, string>, ...args: string[]) {
  const { code, output } = await tradeguard(['--json', ...args], env);
  const { findings } = JSON.parse(output) as { findings: Finding[] };
  const byId = (id: string) => findings.find((one) => one.id === id);
  return { code, output, findings, byId };
}

const failed = (findings: Finding[]) => findings.filter(({ state }) => state === 'fail').map(({ id }) => id);

describe('[O6] [G3] tradeguard doctor', () => {
  it('finds nothing to fail in a whole installation, and ends with 0', async () => {
    const { code, findings, byId } = await examine(healthy);
    expect(failed(findings)).toEqual([]);
    expect(code).toBe(0);
    const fine = ['database', 'database-role', 'audit-rights', 'migrations', 'temporal', 'search-attributes', 'api'];
    for (const id of [...fine, 'schedules', 'sealer', 'administrator', 'clock-database'])
      expect(byId(id), id).toMatchObject({ state: 'ok' });
    // What is no fault on a developer's machine is told all the same.
    expect(byId('backup-role')).toMatchObject({
      state: 'warn',
      advice: expect.stringContaining('DATABASE_BACKUP_URL'),
    });
    expect(byId('workers')).toMatchObject({ state: 'warn', advice: expect.stringContaining('two or more') });
  });

  it('refuses a role that owns the tables or may change the audit log', async () => {
    const { code, findings, byId } = await examine({ ...healthy, DATABASE_URL: stack.ownerUrl });
    expect(code).toBe(1);
    expect(failed(findings)).toEqual(['database-role', 'audit-rights']);
    expect(byId('database-role')?.detail).toMatch(/owns \d+ tables/);
    expect(byId('audit-rights')?.detail).toContain('audit_entry update');
  });

  it('sees a right on the audit log that somebody granted, and a trigger that somebody switched off', async () => {
    const app = decodeURIComponent(new URL(healthy.DATABASE_URL ?? '').username);
    const owner = stack.ownerDb.fork();
    await run(owner, `grant delete on audit_entry to ${app}`);
    expect((await examine(healthy)).byId('audit-rights')).toMatchObject({
      state: 'fail',
      detail: 'It may: audit_entry delete',
    });
    await run(owner, `revoke delete on audit_entry from ${app}`);
    const month = `audit_entry_${new Date().toISOString().slice(0, 7).replace('-', '')}`;
    for (const [table, trigger] of [
      ['audit_seal', 'audit_seal_append_only'],
      [month, 'audit_entry_append_only'],
      [month, `${month}_no_truncate`],
    ]) {
      await run(owner, `alter table ${table} disable trigger ${trigger}`);
      expect((await examine(healthy)).byId('audit-rights')).toMatchObject({
        state: 'fail',
        detail: `Triggers that refuse changes are off or gone: ${table}`,
      });
      await run(owner, `alter table ${table} enable trigger ${trigger}`);
    }
    expect((await examine(healthy)).byId('audit-rights')).toMatchObject({ state: 'ok' });
  });

  it('asks for a verification to the end of the log, and for one of all of it; a part makes up for no fault', async () => {
    const tx = () => stack.ownerDb.fork();
    const verified = (status: string, mode: string, startedAgo: number, endedAgo: number) =>
      run(
        tx(),
        `insert into audit_verification (id, status, mode, reason, checked, started_at, finished_at)
         values (gen_random_uuid(), $1, $2, case when $1 = 'invalid' then 'entry_changed' end, 0,
                 clock_timestamp() - $3 * interval '1 hour', clock_timestamp() - $4 * interval '1 hour')`,
        [status, mode, startedAgo, endedAgo],
      );
    const finding = async () => (await examine(healthy)).byId('audit-verification');
    await run(tx(), 'delete from audit_verification');
    await verified('valid', 'range', 0.2, 0.1);
    expect(await finding()).toMatchObject({ state: 'warn', detail: 'Never' });
    await verified('valid', 'incremental', 1.1, 1);
    expect(await finding()).toMatchObject({ state: 'warn', detail: 'The whole log: never' });
    await verified('valid', 'full', 28.1, 28);
    expect(await finding()).toMatchObject({ state: 'warn', detail: 'The whole log: 28.0 hours ago' });
    await verified('valid', 'full', 2.1, 2);
    expect(await finding()).toMatchObject({ state: 'ok', detail: '1.0 hours ago' });
    await verified('invalid', 'range', 0.9, 0.8);
    const broken = { state: 'fail', detail: 'The last verification found it changed' };
    expect(await finding()).toMatchObject(broken);
    await verified('valid', 'range', 0.7, 0.6);
    expect(await finding()).toMatchObject(broken);
    // It may have passed the place before it was changed.
    await verified('valid', 'full', 0.85, 0.5);
    expect(await finding()).toMatchObject(broken);
    await verified('valid', 'incremental', 0.4, 0.3);
    expect(await finding()).toMatchObject({ state: 'ok', detail: '0.3 hours ago' });
    await run(tx(), 'delete from audit_verification');
  }, 60_000);

  it('names migrations that are missing, and those of a newer version', async () => {
    const owner = stack.ownerDb.fork();
    await run(owner, `update schema_migration set name = '9999-later' where name = '0008-limits'`);
    const missing = await examine(healthy);
    expect(missing.byId('migrations')).toMatchObject({ state: 'fail', detail: 'Missing: 0008-limits' });
    await run(owner, `insert into schema_migration (name, executed_at) values ('0008-limits', now())`);
    expect((await examine(healthy)).byId('migrations')).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('9999-later'),
    });
    await run(owner, `delete from schema_migration where name = '9999-later'`);
    expect((await examine(healthy)).byId('migrations')).toMatchObject({ state: 'ok' });
  });

  it('says what is away, what to do, and no password', async () => {
    const env = {
      ...healthy,
      DATABASE_URL: 'postgresql://app:secretpassword@127.0.0.1:1/tradeguard',
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      SMTP_URL: 'smtp://mailer:secretpassword@127.0.0.1:1',
      PORT: '1',
    };
    const { code, findings, output } = await examine(env);
    expect(code).toBe(1);
    expect(failed(findings)).toEqual(['database', 'temporal', 'mail']);
    for (const { state, advice } of findings) if (state !== 'ok') expect(advice).toBeTruthy();
    for (const secret of ['secretpassword', PASSPHRASE, healthy.SESSION_SECRET, healthy.AUDIT_KEY])
      expect(output).not.toContain(secret);
  }, 60_000);

  it('a worker that nobody started is missed', async () => {
    const { code, byId } = await examine({ ...healthy, TASK_QUEUE_PREFIX: 'nobody' });
    expect(code).toBe(1);
    expect(byId('workers')).toMatchObject({ state: 'fail' });
    expect(byId('schedules')).toMatchObject({ state: 'fail', detail: expect.stringContaining('nobody-backup') });
  });

  it('tells every fault of a configuration', async () => {
    const { code, findings } = await examine({ PATH: healthy.PATH ?? '', DATA_DIR: folder, PORT: 'x' });
    expect(code).toBe(1);
    const told = findings.filter(({ state }) => state === 'fail').map(({ detail }) => detail.split(/[ :]/)[0]);
    expect(told).toEqual(['PORT', 'DATABASE_URL', 'SESSION_SECRET', 'AUDIT_KEY', 'ENCRYPTION_PASSPHRASE']);
  });

  it('refuses equal and weak secrets', async () => {
    const same = await examine({ ...healthy, ENCRYPTION_PASSPHRASE: healthy.SESSION_SECRET ?? '' });
    expect(same.byId('secrets')).toMatchObject({ state: 'fail' });
    const weak = await examine({ ...healthy, SESSION_SECRET: 'a'.repeat(40) });
    expect(weak.byId('secrets')).toMatchObject({ state: 'fail', detail: expect.stringContaining('SESSION_SECRET') });
  });
});

describe('[G3] tradeguard doctor --production', () => {
  const production = () => ({
    ...healthy,
    NODE_ENV: 'production',
    PUBLIC_ORIGIN: 'https://trade.invalid',
    TRUSTED_PROXIES: 'loopback',
    MAIL_DIR: join(folder, 'mail'),
  });

  it('prints what is due before, at and after a deployment, each with its state and what to do', async () => {
    const { code, output } = await tradeguard(['--production'], production());
    expect(code).toBe(1);
    const parts = output.split(/^(?=(?:Before|At|After) the deployment$)/m).map((part) => part.split('\n')[0]);
    expect(parts.slice(1)).toEqual(['Before the deployment', 'At the deployment', 'After the deployment']);
    const lines = output.split('\n');
    for (const [n, line] of lines.entries())
      if (/^ {2}(warn|fail) {2}/.test(line)) expect(lines[n + 1], line).toMatch(/^ {8}-> ./);
    expect(output).toMatch(/^\d+ ok, \d+ to look at, \d+ failed\.$/m);
  });

  it('takes no development server, no missing backup and no origin that does not answer', async () => {
    const { code, byId, findings } = await examine(production(), '--production');
    expect(code).toBe(1);
    for (const id of ['temporal', 'backup-role', 'backup', 'way-in', 'database-durability'])
      expect(byId(id), id).toMatchObject({ state: 'fail' });
    for (const id of ['production-flag', 'origin', 'migrations', 'audit-rights'])
      expect(byId(id), id).toMatchObject({ state: 'ok' });
    // What only a person can tell is asked, not passed.
    for (const id of ['keys-elsewhere', 'rollback', 'notice', 'alerts', 'walk-through'])
      expect(byId(id), id).toMatchObject({ state: 'warn' });
    expect(new Set(findings.map(({ phase }) => phase))).toEqual(new Set(['before', 'at', 'after']));
  });

  it('is the checklist of the deployment guide, item by item', async () => {
    const guide = readFileSync(join(import.meta.dirname, '../../docs/DEPLOYMENT_GUIDE.md'), 'utf8');
    const { findings } = await examine(production(), '--production');
    for (const [phase, title] of [
      ['before', 'Before the deployment'],
      ['at', 'At the deployment'],
      ['after', 'After the deployment'],
    ]) {
      const part = guide.split(`**${title}**`)[1]?.split('**')[0] ?? '';
      const items = [...part.matchAll(/^- \[ \] (.+) \(`([a-z-]+)`\)$/gm)].map(([, what, id]) => `${id}: ${what}`);
      const checked = findings.filter((one) => one.phase === phase).map((one) => `${one.id}: ${one.title}`);
      expect(items.toSorted()).toEqual(checked.toSorted());
    }
  });

  it('holds a machine against production before it is one', async () => {
    const { byId, findings } = await examine({ ...production(), NODE_ENV: 'development' }, '--production');
    expect(byId('production-flag')).toMatchObject({ state: 'fail' });
    expect(findings.length).toBeGreaterThan(20);
    const none = await examine({ ...production(), TRUSTED_PROXIES: '' }, '--production');
    expect(none.byId('origin')).toMatchObject({ state: 'fail', advice: expect.stringContaining('TRUSTED_PROXIES') });
  });
});

describe('[O6] tradeguard doctor --live', () => {
  it('an API that answers lives, one that is away does not', async () => {
    expect((await tradeguard(['--live', 'api'], healthy)).code).toBe(0);
    expect(await tradeguard(['--live', 'api'], { ...healthy, PORT: '64999' })).toMatchObject({
      code: 1,
      output: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('a worker of this machine that polls lives; without one it does not; without Temporal nobody is blamed', async () => {
    expect(await tradeguard(['--live', 'worker'], healthy)).toMatchObject({
      code: 0,
      output: expect.stringContaining('polls'),
    });
    expect((await tradeguard(['--live', 'worker'], { ...healthy, TASK_QUEUE_PREFIX: 'nobody' })).code).toBe(1);
    expect(await tradeguard(['--live', 'worker'], { ...healthy, TEMPORAL_ADDRESS: '127.0.0.1:1' })).toMatchObject({
      code: 0,
      output: expect.stringContaining('nothing can be told'),
    });
  });

  it('knows no other process', async () => {
    expect((await tradeguard(['--live', 'database'], healthy)).code).not.toBe(0);
  });
});
