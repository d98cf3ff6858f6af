import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureFirstAdmin } from '../../db/first-admin.ts';
import { oneRow, rows } from '../../db/sql.ts';
import { loadConfig } from '../../platform/config.ts';
import { createPasswordHasher } from '../../security/passwords.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';

const SECRETS = {
  SESSION_SECRET: randomBytes(32).toString('base64'),
  ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  AUDIT_KEY: randomBytes(32).toString('base64'),
};
const configFor = ({ url }: TestDatabase) => loadConfig({ NODE_ENV: 'test', DATABASE_URL: url, ...SECRETS });

describe('the first administrator', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.close());

  const ensure = (email: string, password?: string) =>
    ensureFirstAdmin({
      config: configFor(database),
      email,
      ...(password === undefined ? {} : { password }),
    });

  it('is made once, also by several starts at the same time, with a password that only one of them knows', async () => {
    const made = await Promise.all(['a', 'b', 'c', 'd'].map((name) => ensure(`${name}@example.com`)));
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(made.map(({ email }) => email)).size).toBe(1);
    const passwords = made.flatMap(({ oneTimePassword }) => oneTimePassword ?? []);
    expect(passwords).toHaveLength(1);
    const admin = await oneRow<{ password_hash: string; password_one_time: boolean }>(
      database.db.fork(),
      `select password_hash, password_one_time from app_user where role = 'admin'`,
    );
    expect(admin.password_one_time).toBe(true);
    expect((await createPasswordHasher().verify(admin.password_hash, passwords[0] ?? '')).ok).toBe(true);
    expect(await rows(database.db.fork(), `select 1 from audit_entry where action = 'user.created'`)).toHaveLength(1);
  });

  it('is not made again, whatever the address', async () => {
    expect(await ensure('late@example.com', 'a password that is final')).toMatchObject({ created: false });
    expect(await rows(database.db.fork(), 'select 1 from app_user')).toHaveLength(1);
  });
});

describe('the first administrator with a password from a file', () => {
  it('keeps it', async () => {
    const database = await createDatabase();
    const made = await ensureFirstAdmin({
      config: configFor(database),
      email: 'admin@example.com',
      password: 'a password that is final',
    });
    expect(made).toEqual({ created: true, email: 'admin@example.com' });
    const admin = await oneRow(database.db.fork(), 'select password_one_time from app_user');
    expect(admin).toEqual({ password_one_time: false });
    await database.close();
  });
});
