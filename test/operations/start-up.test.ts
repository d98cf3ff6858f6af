import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { oneRow } from '../../db/sql.ts';
import { createFleet } from '../helpers/fleet.ts';
import { createMailbox } from '../helpers/mailbox.ts';
import { HOME_DEVICE } from '../helpers/people.ts';

// Each starts several processes, one after the other.
vi.setConfig({ testTimeout: 180_000 });

const ROOT = join(import.meta.dirname, '../..');
const key = () => randomBytes(32).toString('base64');

/** A complete configuration of development; the database and Temporal in it answer nobody. */
const complete = (): Record<string, string> => ({
  DATABASE_URL: 'postgresql://app:pw@127.0.0.1:1/tradeguard',
  TEMPORAL_ADDRESS: '127.0.0.1:1',
  SESSION_SECRET: key(),
  ENCRYPTION_KEY: key(),
  AUDIT_KEY: key(),
  PORT: '0',
});

/** Runs `tradeguard api` until it ends or listens. */
async function start(env: Record<string, string>) {
  const child = spawn(process.execPath, [join(ROOT, 'cli/bin.js'), 'api'], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.includes('"msg":"listening"')) child.kill('SIGKILL');
    });
  }
  const [code] = await once(child, 'close');
  return { refused: code === 1, listens: output.includes('"msg":"listening"'), output };
}

async function fleetOf(env: Record<string, string>, workers = 0) {
  const fleet = await createFleet({ apis: 1, workers, env: () => env });
  onTestFinished(() => fleet.stop());
  const [member] = fleet.apis;
  if (member === undefined) throw new Error('no API started');
  return { fleet, member };
}

/** Whether a TCP connection comes about. */
function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const end = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

describe('[C1] SESSION_SECRET', () => {
  it('of 31 characters, or none, ends the start; of 32 it is accepted; it is never repeated', async () => {
    const short = 's'.repeat(31);
    const refused = await start({ ...complete(), SESSION_SECRET: short });
    expect(refused.refused).toBe(true);
    expect(refused.output).toContain('SESSION_SECRET: use at least 32 characters');
    expect(refused.output).not.toContain(short);
    expect((await start({ ...complete(), SESSION_SECRET: '' })).output).toContain('SESSION_SECRET is not set');
    expect(await start({ ...complete(), SESSION_SECRET: 's'.repeat(32) })).toMatchObject({
      refused: false,
      listens: true,
    });
  });
});

describe('[C2] DATABASE_URL', () => {
  it('is needed, has to be of PostgreSQL, and is where everything is stored', async () => {
    expect((await start({ ...complete(), DATABASE_URL: '' })).output).toContain('DATABASE_URL is not set');
    const other = await start({ ...complete(), DATABASE_URL: 'mysql://app:hidden-word@127.0.0.1/x' });
    expect(other).toMatchObject({
      refused: true,
      output: expect.stringContaining('DATABASE_URL: write postgresql://'),
    });
    expect(other.output).not.toContain('hidden-word');

    const { fleet, member } = await fleetOf({});
    const person = { email: 'stored.there@example.com', password: 'a long passphrase of somebody' };
    const registered = await member.api.post('/api/auth/register', {
      ...person,
      fullName: 'Test Person',
      device: HOME_DEVICE,
    });
    expect(registered.status).toBe(201);
    const { n } = await oneRow<{ n: string }>(
      fleet.database.ownerDb.fork(),
      'select count(*) as n from app_user where email = $1',
      [person.email],
    );
    expect(n).toBe('1');
  });
});

describe('[C4] production', () => {
  it.each([{ NODE_ENV: 'production' }, { REPLIT_DEPLOYMENT: '1' }, { REPLIT_DEPLOYMENT: 'true', NODE_ENV: 'test' }])(
    'is meant by %j: what it needs is asked for',
    async (flag) => {
      const { refused, output } = await start({ ...complete(), ...flag });
      expect(refused).toBe(true);
      expect(output).toContain('PUBLIC_ORIGIN is not set');
      expect(output).toContain('SMTP_URL is not set');
    },
  );

  it('with the hosting platform’s flag alone serves nothing over plain HTTP', async () => {
    const { member } = await fleetOf({ NODE_ENV: '', REPLIT_DEPLOYMENT: '1' });
    expect((await fetch(`${member.url}/api/health`, { redirect: 'manual' })).status).toBe(301);
    const secure = await member.api.get('/api/health/live');
    expect(secure.headers.get('strict-transport-security')).not.toBeNull();
  });

  it.each([{}, { REPLIT_DEPLOYMENT: '0' }])('is not meant by %j', async (flag) => {
    expect(await start({ ...complete(), ...flag })).toMatchObject({ refused: false, listens: true });
  });
});

describe('[C6] no secret is built in', () => {
  it.each([{}, { NODE_ENV: 'production' }])('none is made up where it is missing: %j', async (flag) => {
    const { refused, output } = await start({ DATABASE_URL: complete().DATABASE_URL as string, ...flag });
    expect(refused).toBe(true);
    for (const name of ['SESSION_SECRET', 'AUDIT_KEY', 'ENCRYPTION_PASSPHRASE']) {
      expect(output).toContain(`${name} is not set`);
    }
  });

  it('no file of the program holds a key, a password in a URL or a token of a provider', () => {
    const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
      .split('\n')
      .filter((path) => /\.(ts|js|mjs|sh|ya?ml|json|html|css)$|^Dockerfile$|Caddyfile$/.test(path))
      .filter((path) => !/^(test|bench|docs|client)\/|^package-lock\.json$/.test(path));
    expect(files.length).toBeGreaterThan(200);
    const secret =
      /-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|[sr]k_(live|test)_\w{8}|gh[pous]_\w{20}|xox[baprs]-|:\/\/[^\s:/@$'"`]+:(?!(password|pw)@)[^\s:/@$'"`{]+@/;
    for (const path of files) expect(readFileSync(join(ROOT, path), 'utf8'), path).not.toMatch(secret);
  });
});

describe('[C7] what development falls back to', () => {
  /** As on a developer's machine: the servers and the secrets, and nothing else. */
  const BARE = { NODE_ENV: '', HOST: '', PUBLIC_ORIGIN: '', TRUSTED_PROXIES: '', MAIL_DIR: '' };

  it('is reached from this machine alone, over plain HTTP, and letters become files that only their owner reads', async () => {
    const { fleet, member } = await fleetOf(BARE, 1);
    const port = Number(new URL(member.url).port);
    expect(await answers('127.0.0.1', port)).toBe(true);
    // Another address of the loopback network: who listens on every address would answer there too.
    expect(await answers('127.0.0.2', port)).toBe(false);
    expect((await fetch(`${member.url}/api/health/live`)).status).toBe(200);

    const person = { email: 'developer@example.com', password: 'a long passphrase of somebody' };
    await member.api.post('/api/auth/register', { ...person, fullName: 'Test Person', device: HOME_DEVICE });
    await member.api.post('/api/auth/password/forgot', { email: person.email });
    const folder = join(fleet.env.DATA_DIR, 'mail');
    await createMailbox(folder).waitFor(person.email, { subject: /password/i });
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('ends where production begins', async () => {
    const { refused, output } = await start({ ...complete(), NODE_ENV: 'production', TEMPORAL_ADDRESS: '' });
    expect(refused).toBe(true);
    for (const name of ['PUBLIC_ORIGIN', 'SMTP_URL', 'TEMPORAL_ADDRESS'])
      expect(output).toContain(`${name} is not set`);
  });
});
