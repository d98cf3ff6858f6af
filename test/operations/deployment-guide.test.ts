import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { type LocalPostgres, startLocalPostgres } from '../../platform/local-postgres.ts';
import { freePort } from '../../platform/ports.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { deleteSchedules } from '../../workers/schedules.ts';
import { taskQueues } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';

const ROOT = join(import.meta.dirname, '../..');
const BIN = join(ROOT, 'cli/bin.js');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const guide = read('docs/DEPLOYMENT_GUIDE.md');

const blocks = [...guide.matchAll(/^(?:<!-- runs: (\S+) -->\n)?```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => {
  const [, name, language, text = ''] = match;
  return { name, language, lines: text.trim().split('\n') };
});
const shellLines = blocks.filter(({ language }) => language === 'sh').flatMap(({ lines }) => lines);
const inline = [...guide.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(
  (match) => match[1] as string,
);

describe('[G3] what the deployment guide names exists', () => {
  const commands = [...shellLines, ...inline].flatMap(
    (text) => /(?:^|cli\/bin\.js |worker )((?:tradeguard |admin |doctor ).*)$/.exec(text)?.[1] ?? [],
  );
  const calls = new Map<string, Set<string>>();
  for (const command of commands) {
    const words = command.replace(/^tradeguard /, '').split(' ');
    const end = words.findIndex((word) => word.startsWith('-') || word === 'latest');
    const path = words.slice(0, end === -1 ? undefined : end).join(' ');
    const flags = calls.get(path) ?? new Set();
    for (const word of words) if (word.startsWith('--')) flags.add(word);
    calls.set(path, flags);
  }

  it.each([...calls].map(([path, flags]) => [path, [...flags]] as const))('tradeguard %s', (path, flags) => {
    const help = execFileSync(process.execPath, [BIN, ...path.split(' '), '--help'], { encoding: 'utf8' });
    expect(help).toContain(`Usage: tradeguard ${path}`);
    for (const flag of flags) expect(help).toContain(flag);
  });

  it('scripts of npm, services of Compose, files and links', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const [, script = ''] of guide.matchAll(/npm run ([a-z:]+)/g)) expect(scripts).toHaveProperty(script);
    const { services } = parse(read('docker-compose.yaml'), { merge: true }) as { services: Record<string, unknown> };
    for (const line of shellLines) {
      const service = /docker compose (?:run|exec) (?:--\S+ (?:\S+:\S+ )?)*(\w[\w-]*)/.exec(line)?.[1];
      if (service !== undefined) expect(services, line).toHaveProperty(service);
    }
    for (const [, link = ''] of guide.matchAll(/\]\(([^#)][^)]*)\)/g))
      expect(existsSync(join(ROOT, 'docs', link.replace(/#.*/, ''))), link).toBe(true);
    for (const path of inline.filter(
      (text) => /^(docker|cli|test|docs)\/\S+\.\w+$/.test(text) || text === 'docker-compose.yaml',
    ))
      expect(existsSync(join(ROOT, path)), path).toBe(true);
  });

  it('paths of the API', () => {
    const sources = readdirSync(join(ROOT, 'api')).filter((name) => name.endsWith('.ts'));
    const routes = new Set(
      sources.flatMap((name) => [...read(`api/${name}`).matchAll(/path: '([^']+)'/g)].map((match) => match[1])),
    );
    const named = [...guide.matchAll(/(?:GET |PORT|`)(\/(?:api\/[a-z/-]+|metrics))/g)].map(
      (match) => match[1] as string,
    );
    expect(named.length).toBeGreaterThan(6);
    for (const path of named) expect(routes, path).toContain(path);
  });

  it('variables', () => {
    const known = read('docs/configuration.md') + read('docker-compose.yaml');
    const named = inline.flatMap((text) => /^([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=|$)/.exec(text)?.[1] ?? []);
    expect(named.length).toBeGreaterThan(20);
    for (const name of named) expect(known, name).toContain(name.replace(/_FILE$/, ''));
  });
});

describe('[G3] its commands, in the order of the guide, on a PostgreSQL of their own', () => {
  let folder: string;
  let postgres: LocalPostgres;
  let env: Record<string, string>;
  const children: ReturnType<typeof spawn>[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tradeguard-guide-'));
    postgres = await startLocalPostgres({ dataDir: join(folder, 'servers'), unsafeFast: true });
    const record = JSON.parse(readFileSync(join(folder, 'servers', 'postgres.json'), 'utf8')) as {
      passwords: { superuser: string };
    };
    const url = (role: string, password: string, database: string) =>
      `postgresql://${role}:${password}@127.0.0.1:${postgres.port}/${database}`;
    writeFileSync(join(folder, 'tradeguard'), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`);
    chmodSync(join(folder, 'tradeguard'), 0o755);
    writeFileSync(join(folder, 'admin_password'), 'quarter past nine in the harbour\n', { mode: 0o600 });
    env = {
      PATH: `${folder}${delimiter}${process.env.PATH}`,
      HOME: folder,
      PORT: String(await freePort()),
      DATABASE_ADMIN_URL: url('postgres', record.passwords.superuser, 'postgres'),
      DATABASE_URL: url('guide_app', 'first-password', 'guide'),
      DATABASE_OWNER_URL: url('guide_owner', 'p%40ss%2Fword', 'guide'),
      DATABASE_BACKUP_URL: url('guide_backup', 'third-password', 'guide'),
      DATABASE_DRILL_URL: url('guide_drill', 'fourth-password', 'postgres'),
      TEMPORAL_ADDRESS: inject('servers').temporalAddress,
      TASK_QUEUE_PREFIX: `guide-${process.pid}`,
      SESSION_SECRET: 'a session secret for the guide alone, 0123456789',
      ENCRYPTION_KEY: Buffer.from('0123456789abcdef0123456789abcdef').toString('base64'),
      AUDIT_KEY: Buffer.from('another key for the audit log 01').toString('base64'),
      DATA_DIR: join(folder, 'data'),
    };
  }, 120_000);

  afterAll(async () => {
    for (const child of children) {
      if (child.exitCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    }
    const temporal = createTemporalClient({
      address: inject('servers').temporalAddress,
      namespace: 'default',
      tls: undefined,
      identity: 'test',
      dataConverter,
    });
    const prefix = env.TASK_QUEUE_PREFIX ?? '';
    await deleteSchedules(temporal.client, { prefix, queues: taskQueues(prefix) }).catch(() => {});
    await temporal.close();
    await postgres?.stop();
    for (const path of [folder, postgres?.dataDirectory]) if (path) rmSync(path, { recursive: true, force: true });
  }, 60_000);

  function follow(name: string): Promise<{ code: number; output: string }> {
    const block = blocks.find((one) => one.name === name);
    if (block === undefined) throw new Error(`the guide has no block ${name}`);
    return new Promise((resolve) => {
      execFile('sh', ['-ec', block.lines.join('\n')], { cwd: folder, env }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
      });
    });
  }

  async function asAdmin<T extends pg.QueryResultRow>(text: string): Promise<T[]> {
    const client = new pg.Client({ connectionString: env.DATABASE_ADMIN_URL });
    await client.connect();
    try {
      return (await client.query<T>(text)).rows;
    } finally {
      await client.end();
    }
  }

  it('database: roles, database and schema; a second time changes nothing', async () => {
    const first = await follow('database');
    expect(first.output).toContain('Ready: database guide, roles guide_app, guide_owner, guide_backup, guide_drill.');
    expect(first.code, first.output).toBe(0);
    const again = await follow('database');
    expect(again.code, again.output).toBe(0);
    expect(again.output).toContain('The schema is up to date.');
    const roles = await asAdmin(
      `select rolname, rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname like 'guide\\_%' order by 1`,
    );
    expect(roles).toEqual([
      { rolname: 'guide_app', rolsuper: false, rolcreaterole: false, rolcreatedb: false },
      { rolname: 'guide_backup', rolsuper: false, rolcreaterole: false, rolcreatedb: false },
      { rolname: 'guide_drill', rolsuper: false, rolcreaterole: false, rolcreatedb: true },
      { rolname: 'guide_owner', rolsuper: false, rolcreaterole: false, rolcreatedb: true },
    ]);
    expect(await asAdmin(`select has_database_privilege('guide_drill', 'guide', 'CONNECT') as reaches`)).toEqual([
      { reaches: false },
    ]);
  });

  it('administrator: made once', async () => {
    expect(await follow('administrator')).toMatchObject({
      code: 0,
      output: expect.stringContaining('First administrator'),
    });
    expect(await follow('administrator')).toMatchObject({ code: 0, output: expect.stringContaining('already') });
  });

  it('processes, then doctor: nothing fails once they run', async () => {
    for (const command of ['worker', 'api'])
      children.push(spawn(join(folder, 'tradeguard'), [command], { cwd: folder, env, stdio: 'ignore' }));
    let last = '';
    await eventually(
      async () => {
        const { code, output } = await follow('doctor');
        last = output;
        return code === 0;
      },
      { what: 'a doctor that is content', timeoutMs: 90_000, everyMs: 2_000 },
    ).catch((error: Error) => {
      throw new Error(`${error.message}:\n${last}`);
    });
  }, 120_000);

  it('health: past the proxy, on the machine itself', async () => {
    const { code, output } = await follow('health');
    expect(code, output).toBe(0);
    expect(output).toContain('"status":"up"');
  });

  it('backup: made, listed, verified, restored for a trial', async () => {
    const { code, output } = await follow('backup');
    expect(code, output).toBe(0);
    expect(output).toContain('is whole');
    expect(output).toContain('The database was dropped.');
  }, 120_000);

  it('restore: into an empty database of the owner; the audit log is whole', async () => {
    await asAdmin('create database tradeguard_restored owner guide_owner');
    const { code, output } = await follow('restore');
    expect(code, output).toBe(0);
    expect(output).toContain('into tradeguard_restored.');
    expect(output).toContain('Sound:');
  }, 120_000);

  it('every block that is marked was run here', () => {
    const marked = blocks.flatMap(({ name }) => name ?? []);
    expect(marked).toEqual(['database', 'administrator', 'doctor', 'backup', 'restore', 'health']);
  });
});
