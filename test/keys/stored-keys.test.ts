import { createDecipheriv, hkdfSync, pbkdf2Sync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openKeyring } from '../../db/keyring.ts';
import { rows, run } from '../../db/sql.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';

const PASSPHRASE = 'an unmistakable passphrase of an operator';

interface StoredKey {
  record: { keyId: string; purpose: string; version: number; salt: string; iterations: number; wrapped: string };
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database?.close());

const secrets = () => ({
  sessionSecret: randomBytes(32).toString('base64'),
  sessionSecretPrevious: undefined,
  masterKey: { kind: 'passphrase', passphrase: PASSPHRASE } as const,
});

it('[F6] keys are wrapped under PBKDF2-SHA256 of the passphrase with 100,000 rounds or more, and fewer are refused', async () => {
  const given = secrets();
  await openKeyring(database.db, given);
  const stored = await rows<StoredKey>(database.ownerDb.fork(), 'select record from keyring_key');
  expect(stored.length).toBeGreaterThan(5);
  for (const { record } of stored) {
    expect(record.iterations).toBeGreaterThanOrEqual(100_000);
    expect(Buffer.from(record.salt, 'base64url').length).toBeGreaterThanOrEqual(16);
  }
  const { record } = stored.find((one) => one.record.purpose === 'field') as StoredKey;
  // Worked out by hand: nothing but the passphrase and what is stored gives the key.
  const stretched = pbkdf2Sync(PASSPHRASE, Buffer.from(record.salt, 'base64url'), record.iterations, 32, 'sha256');
  const kek = Buffer.from(hkdfSync('sha256', stretched, '', 'tradeguard/v1/kek/master', 32));
  const wrapped = Buffer.from(record.wrapped, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', kek, wrapped.subarray(0, 12));
  expect(decipher.update(wrapped.subarray(12, -16))).toHaveLength(32);

  await run(
    database.ownerDb.fork(),
    `update keyring_key set record = jsonb_set(record, '{iterations}', '99999') where record ->> 'purpose' = 'field'`,
  );
  await expect(openKeyring(database.db, given)).rejects.toThrow(/iterations/);
});
