import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, rows, run } from '../../db/sql.ts';
import { createFernet } from '../../security/fernet.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.js', import.meta.url));
const fernetKey = () => randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
const OLD_KEY = fernetKey();
const NEWER_KEY = fernetKey();
const old = createFernet(OLD_KEY);
const newer = createFernet(NEWER_KEY);

let stack: Stack;
let folder: string;
let person: SignedIn;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-keys-'));
  stack = await createStack();
  person = await stack.people.signedIn('customer');
});
afterAll(async () => {
  await stack?.close();
  rmSync(folder, { recursive: true, force: true });
});

function command(...args: string[]) {
  const { config } = stack;
  const child = spawn(process.execPath, [BIN, 'keys', ...args, '--data-dir', folder], {
    env: {
      ...process.env,
      NODE_ENV: 'test',
      DATABASE_URL: config.databaseUrl,
      TEMPORAL_ADDRESS: config.temporalAddress,
      TASK_QUEUE_PREFIX: config.taskQueuePrefix,
      SESSION_SECRET: config.sessionSecret,
      ENCRYPTION_KEY: config.masterKey.kind === 'key' ? config.masterKey.key.export().toString('base64') : '',
      AUDIT_KEY: config.auditKey.export().toString('base64'),
      FERNET_KEYS: `${NEWER_KEY},${OLD_KEY}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.err += text;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...said }));
  return { child, ended };
}

const keys = (...args: string[]) => command(...args).ended;
function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
const ndjson = (...lines: object[]) => lines.map((line) => JSON.stringify(line)).join('\n');
const profileOf = async (token: string) => (await stack.api.get('/api/profile', { token })).body;

describe('[F13] tradeguard keys import-fernet', () => {
  it('stores what an older system encrypted under our own key, from before and after its rotation', async () => {
    const path = file(
      'people.ndjson',
      ndjson({
        email: person.email.toUpperCase(),
        ssn: old.encrypt('536-90-4399', { now: 0 }),
        accountNumber: newer.encrypt('4000123456789'),
      }),
    );
    expect(await keys('import-fernet', path)).toMatchObject({
      code: 0,
      out: '1 imported, 0 there already, 0 failed.\n',
    });
    expect(await profileOf(person.token)).toMatchObject({ ssn: 'XXX-XX-4399', accountNumber: '****6789' });
    const stored = await oneRow<{ ssn: string }>(stack.ownerDb.fork(), 'select ssn from profile where user_id = $1', [
      person.userId,
    ]);
    expect(stored.ssn).toMatch(/^AQE/);
    expect(await keys('import-fernet', path, '--json')).toMatchObject({
      code: 0,
      out: '{"imported":0,"unchanged":1,"failed":0}\n',
    });
    const entries = await rows<{ entry: string }>(
      stack.ownerDb.fork(),
      `select entry from audit_entry where entry::jsonb ->> 'action' in ('profile.changed', 'fernet.imported')`,
    );
    expect(entries).toHaveLength(3);
    expect(JSON.stringify(entries)).not.toMatch(/536904399|4000123456789|gAAAA/);
  });

  it('says of every line it cannot take why, by number and field, and takes the others', async () => {
    const other = await stack.people.signedIn('customer');
    const token = old.encrypt('219-09-9999');
    const path = file(
      'faulty.csv',
      [
        'userId,ssn,ein,nickname',
        `${other.userId},${token},,`,
        `${uuidV7()},${token},,`,
        `${other.userId},${createFernet(fernetKey()).encrypt('219-09-9999')},,`,
        `${other.userId},${token.slice(0, -8)}AAAAAAA=,,`,
        `${other.userId},not-a-token,,`,
        `${other.userId},${old.encrypt('000-00-0000')},,`,
        `${other.userId},,,${token}`,
        `${person.userId},${token},,`,
      ].join('\n'),
    );
    const { code, out, err } = await keys('import-fernet', path);
    expect(code).toBe(1);
    expect(out).toBe('1 imported, 0 there already, 7 failed.\n');
    expect(err.trim().split('\n')).toEqual([
      'line 3: userId: user_unknown',
      'line 4: ssn: not_authentic',
      expect.stringMatching(/^line 5: ssn: (not_authentic|malformed)$/),
      'line 6: ssn: malformed',
      'line 7: ssn: invalid',
      'line 8: nickname: column_unknown',
      'line 9: ssn: conflict',
    ]);
    expect(err).not.toContain(token);
    expect((await profileOf(other.token)).ssn).toBe('XXX-XX-9999');
    expect((await profileOf(person.token)).ssn).toBe('XXX-XX-4399');
    expect((await keys('import-fernet', path, '--overwrite')).out).toContain('1 imported, 1 there already, 6 failed');
    expect((await profileOf(person.token)).ssn).toBe('XXX-XX-9999');
  });

  it('goes on when it was killed: what is there is not imported again', async () => {
    const people = Array.from({ length: 400 }, () => uuidV7());
    await run(
      stack.ownerDb.fork(),
      `insert into app_user (id, email, email_key, full_name, role)
       select id, id || '@example.com', id || '@example.com', 'Imported', 'customer' from unnest($1::uuid[]) as i (id)`,
      [people],
    );
    const path = file(
      'many.ndjson',
      ndjson(...people.map((userId) => ({ userId, address: old.encrypt(`${userId} Market St`) }))),
    );
    const there = async () =>
      Number(
        (
          await oneRow<{ n: string }>(
            stack.ownerDb.fork(),
            `select count(*) as n from profile where user_id = any($1) and address is not null`,
            [people],
          )
        ).n,
      );
    const first = command('import-fernet', path);
    await eventually(async () => (await there()) > 5, { everyMs: 5 });
    first.child.kill('SIGKILL');
    await first.ended;
    const survived = await there();
    expect(survived).toBeLessThan(400);
    const { out } = await keys('import-fernet', path, '--json');
    expect(JSON.parse(out)).toEqual({ imported: 400 - survived, unchanged: survived, failed: 0 });
  });

  it('wants its keys from a file or the environment and refuses what is none', async () => {
    const path = file('none.ndjson', '');
    const wrong = await keys('import-fernet', path, '--key-file', file('keys', 'c2hvcnQ='));
    expect(wrong).toMatchObject({ code: 1, err: 'fernet: key_invalid\n' });
    const empty = await keys('import-fernet', path, '--key-file', file('no-keys', '\n'));
    expect(empty.err).toContain('Name the Fernet keys');
  });
});

describe('[C8] tradeguard keys', () => {
  it('rotate starts a rotation and waits for its end; list shows generations and no key', async () => {
    const { code, out } = await keys('rotate', '--scope', 'field');
    expect(out).toContain('New keys are in use');
    expect(code).toBe(0);
    const list = await keys('list');
    expect(list.code).toBe(0);
    expect(list.out).toMatch(/^field +2 {2}active {3}[0-9a-f-]{36}/m);
    expect(list.out).toContain('SESSION_SECRET is 0 day(s) old');
    const records = await rows<{ record: { wrapped: string } }>(stack.ownerDb.fork(), 'select record from keyring_key');
    for (const { record } of records) expect(list.out).not.toContain(record.wrapped);
    expect((await profileOf(person.token)).ssn).toBe('XXX-XX-9999');
  });
});
