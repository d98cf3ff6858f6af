import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { row } from '../../db/sql.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const run = promisify(execFile);
const CLI = join(import.meta.dirname, '../../cli/tradeguard.ts');

describe('staff at the command line', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  async function tradeguard(...args: string[]): Promise<string> {
    const { config } = stack;
    if (config.masterKey.kind !== 'key') throw new Error('the stack has a raw master key');
    const { stdout } = await run(process.execPath, [CLI, ...args, '--data-dir', config.dataDir], {
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: config.databaseUrl,
        SESSION_SECRET: config.sessionSecret,
        ENCRYPTION_KEY: config.masterKey.key.export().toString('base64'),
        AUDIT_KEY: config.auditKey.export().toString('base64'),
      },
    });
    return stdout;
  }
  const listed = async (email: string) =>
    JSON.parse(await tradeguard('users', 'list', '--json')).find((user: { email: string }) => user.email === email);

  it('is created, changed, shut, opened and reset, with an audit entry each', async () => {
    const email = stack.people.newAddress();
    const made = JSON.parse(
      await tradeguard('users', 'create', email, '--role', 'reviewer', '--name', 'A Reviewer', '--json'),
    );
    expect(await listed(email)).toMatchObject({ role: 'reviewer', disabled: false, mfa: false });
    const login = await stack.people.login({ email, password: made.oneTimePassword });
    expect(login.body.status).toBe('enrolment_required');

    await tradeguard('users', 'set-role', email, 'auditor');
    await tradeguard('users', 'set-tier', email, 'basic');
    await expect(tradeguard('users', 'set-tier', email, 'gold')).rejects.toThrow(/A tier is one of basic, standard/);
    await tradeguard('users', 'disable', email);
    expect(await listed(email)).toMatchObject({ role: 'auditor', tier: 'basic', disabled: true });
    await tradeguard('users', 'enable', email);
    const reset = await tradeguard('users', 'reset-password', email);
    const password = /: (\S+)$/m.exec(reset)?.[1] ?? '';
    expect((await stack.people.login({ email, password })).status).toBe(202);
    await tradeguard('users', 'reset-mfa', email);

    const trail = await row<{ actions: string[] }>(
      stack.db.fork(),
      `select array_agg(action order by at) as actions from audit_entry
        where subject = $1 and entry::jsonb #>> '{actor,kind}' = 'operator'`,
      [made.userId],
    );
    expect(trail?.actions).toEqual([
      'user.created',
      'user.role_changed',
      'user.tier_changed',
      'user.disabled',
      'user.enabled',
      'user.password_reset',
      'user.mfa_reset',
    ]);
  });

  it('includes the first administrator once, with a good password from a file', async () => {
    const file = join(stack.config.dataDir, '..', 'first-password');
    const create = () => tradeguard('admin', 'create', '--email', 'first@example.com', '--password-file', file);
    writeFileSync(file, 'Password1234!\n');
    await expect(create()).rejects.toThrow(/refused: too common/);
    writeFileSync(file, 'a password that nobody guesses\n');
    expect(await create()).toMatch(/^First administrator: first@example.com/);
    expect(await create()).toMatch(/already/);
    const login = await stack.people.login({ email: 'first@example.com', password: 'a password that nobody guesses' });
    expect(login.body.status).toBe('enrolment_required');
    await expect(tradeguard('users', 'disable', 'first@example.com')).rejects.toThrow(/last administrator/);
  });
});
