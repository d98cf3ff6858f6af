import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordedUrls } from '../../platform/postgres-location.ts';
import { eventually } from '../helpers/eventually.ts';
import { type Instance, startInstance } from '../helpers/instance.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.js', import.meta.url));
let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance?.stop());

const json = (output: string) => JSON.parse(output.slice(output.search(/^[[{]/m)));

async function as(variable: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: recordedUrls(instance.dataDir)[variable] });
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}

describe('an installation that has no backup yet', () => {
  it('[B1] makes one as soon as a worker runs', async () => {
    const [first] = await eventually(
      async () => {
        const rows = await instance.sql<{ trigger: string; status: string }>(
          `select trigger, status, reason from backup_run where status <> 'running'`,
        );
        return rows.length > 0 && rows;
      },
      { what: 'the first backup', timeoutMs: 60_000 },
    );
    expect(first).toMatchObject({ trigger: 'boot', status: 'succeeded' });
  });
});

describe('[B5] tradeguard backup', () => {
  it('create makes one, list shows it, verify reads it, drill restores it', async () => {
    const created = await instance.cli('backup', 'create', '--json');
    expect(created.code, created.output).toBe(0);
    const { id } = json(created.output);
    const list = json((await instance.cli('backup', 'list', '--json')).output);
    expect(list[0]).toMatchObject({ id, places: ['folder'] });
    expect((await instance.cli('backup', 'list')).output).toMatch(
      new RegExp(`^${id}  .* rows in \\d+ tables  folder$`, 'm'),
    );
    expect(await instance.cli('backup', 'verify', id)).toMatchObject({ code: 0 });
    const drill = await instance.cli('backup', 'drill');
    expect(drill.output).toMatch(/Restored and checked: \d+ rows in \d+ tables, \d+ audit entries/);
    expect(drill.code).toBe(0);
    const actions = await instance.sql<{ action: string }>(
      `select distinct action from audit_entry where action ~ '^(backup|restore_drill)'`,
    );
    expect(actions.map(({ action }) => action)).toEqual(
      expect.arrayContaining([
        'backup.started',
        'backup.completed',
        'restore_drill.started',
        'restore_drill.completed',
      ]),
    );
  });

  it('restore fills an empty database, whose schema the application can use at once', async () => {
    await instance.sql('create database elsewhere');
    const restored = await instance.cli('backup', 'restore', 'latest', '--database', 'elsewhere');
    expect(restored.code, restored.output).toBe(0);
    const url = new URL(recordedUrls(instance.dataDir).DATABASE_URL ?? '');
    url.pathname = '/elsewhere';
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    const { rows } = await client.query('select count(*)::int as n from app_user');
    expect(rows[0].n).toBeGreaterThan(0);
    const told = await client.query(`select count(*)::int as n from audit_entry where action = 'backup.restored'`);
    expect(told.rows[0].n).toBe(1);
    await expect(client.query('delete from audit_entry')).rejects.toThrow('permission denied');
    await client.end();
  });

  it('restore leaves a database that is not empty alone, and sets it aside with --force', async () => {
    const refused = await instance.cli('backup', 'restore', 'latest', '--database', 'elsewhere');
    expect(refused).toMatchObject({ code: 1, output: expect.stringContaining('--force') });
    const forced = await instance.cli('backup', 'restore', 'latest', '--database', 'elsewhere', '--force');
    expect(forced.code, forced.output).toBe(0);
    const aside = /elsewhere_before_\d+/.exec(forced.output)?.[0];
    const names = await instance.sql<{ datname: string }>('select datname from pg_database');
    expect(names.map(({ datname }) => datname)).toEqual(expect.arrayContaining(['elsewhere', aside]));
  });

  it('restore does not touch a database that is in use, not even with --force', async () => {
    const refused = await instance.cli('backup', 'restore', 'latest', '--force');
    expect(refused).toMatchObject({ code: 1, output: expect.stringContaining('Stop the API and the workers first') });
    const names = await instance.sql<{ datname: string }>('select datname from pg_database');
    expect(names.filter(({ datname }) => datname.startsWith('tradeguard_restored'))).toEqual([]);
  });

  it('create that is killed in the middle leaves nothing that is listed, and the next one takes its place', async () => {
    const folder = join(instance.dataDir, 'backups');
    const before = new Set(readdirSync(folder));
    const child = spawn(process.execPath, [BIN, 'backup', 'create', '--data-dir', instance.dataDir], {
      stdio: 'ignore',
    });
    const gone = once(child, 'exit');
    const half = await eventually(() => readdirSync(folder).find((name) => !before.has(name)), {
      what: 'a file that is being written',
      everyMs: 2,
    });
    child.kill('SIGKILL');
    await gone;
    const id = half.slice(0, 36);
    expect(readdirSync(folder).filter((name) => name.startsWith(id))).toEqual([half]);
    expect((await instance.cli('backup', 'list')).output).not.toContain(id);
    expect((await instance.cli('backup', 'create')).output).toContain('Another one is running');
    await instance.sql(`update backup_run set seen_at = seen_at - interval '10 minutes' where id = $1`, [id]);
    expect(await instance.cli('backup', 'create')).toMatchObject({ code: 0 });
    const [lost] = await instance.sql('select status, reason from backup_run where id = $1', [id]);
    expect(lost).toEqual({ status: 'failed', reason: 'lost' });
    utimesSync(join(folder, half), 0, 0);
    expect(json((await instance.cli('backup', 'clean-up', '--json')).output)).toEqual({
      deleted: [],
      leftovers: [half],
    });
  });

  it('[B3] clean-up deletes what is 31 days old and keeps what is 29 days old', async () => {
    const young = await instance.cli('backup', 'clean-up', '--json');
    expect(json(young.output)).toEqual({ deleted: [], leftovers: [] });
    const folder = join(instance.dataDir, 'backups');
    for (const [days, deleted] of [
      [29, false],
      [31, true],
    ] as const) {
      const { id } = json((await instance.cli('backup', 'create', '--json')).output);
      const manifest = join(folder, `${id}.manifest.json`);
      const content = JSON.parse(readFileSync(manifest, 'utf8'));
      const createdAt = new Date(Date.now() - days * 86_400_000).toISOString();
      writeFileSync(manifest, JSON.stringify({ ...content, createdAt }));
      const done = await instance.cli('backup', 'clean-up', '--json');
      expect(json(done.output).deleted).toEqual(deleted ? [id] : []);
      expect(existsSync(manifest)).toBe(!deleted);
    }
  });

  it('[B6] says what is wrong in one sentence, with an exit code', async () => {
    const folder = join(instance.dataDir, 'backups');
    const file = readdirSync(folder).find((name) => name.endsWith('.backup')) ?? '';
    const bytes = readFileSync(join(folder, file));
    writeFileSync(join(folder, file), bytes.subarray(0, bytes.length - 1));
    const broken = await instance.cli('backup', 'verify', file.slice(0, 36));
    writeFileSync(join(folder, file), bytes);
    expect(broken).toMatchObject({ code: 1, output: expect.stringContaining('the backup file') });
    expect(broken.output).not.toContain('    at ');
    expect(await instance.cli('backup', 'verify', '../../etc/passwd')).toMatchObject({ code: 1 });
  });
});

describe('the roles of backups', () => {
  it('the one that dumps reads everything and writes nothing', async () => {
    await expect(as('DATABASE_BACKUP_URL', 'select count(*) from schema_migration')).resolves.toMatchObject({
      rowCount: 1,
    });
    await expect(as('DATABASE_BACKUP_URL', `insert into once (key, result) values ('x', '1')`)).rejects.toThrow(
      'permission denied',
    );
    await expect(as('DATABASE_BACKUP_URL', 'create table mine (id int)')).rejects.toThrow('permission denied');
    await expect(as('DATABASE_BACKUP_URL', 'create database mine')).rejects.toThrow('permission denied');
  });

  it('the one that restores for a drill cannot reach the live database', async () => {
    const url = new URL(recordedUrls(instance.dataDir).DATABASE_DRILL_URL ?? '');
    url.pathname = '/tradeguard';
    const client = new pg.Client({ connectionString: url.href });
    await expect(client.connect()).rejects.toThrow('permission denied for database');
  });

  it('their passwords are in no argument of a process, and the API has none of them', async () => {
    const { pids } = instance.endpoints();
    const environment = (pid: number) => readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environment(pids.worker ?? 0)).toContain('DATABASE_BACKUP_URL=');
    expect(environment(pids.api ?? 0)).not.toMatch(/DATABASE_(BACKUP|DRILL|OWNER)_URL=/);
    const passwords = Object.values(recordedUrls(instance.dataDir)).map((url) => new URL(url).password);
    const seen = new Set<string>();
    const watching = setInterval(() => {
      for (const line of execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n')) seen.add(line);
    }, 15);
    const created = await instance.cli('backup', 'create');
    clearInterval(watching);
    expect(created.code, created.output).toBe(0);
    const dumps = [...seen].filter((line) => line.includes('pg_dump'));
    expect(dumps.length).toBeGreaterThan(0);
    for (const line of seen) for (const password of passwords) expect(line).not.toContain(password);
  });
});
