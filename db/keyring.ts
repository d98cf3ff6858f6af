import type { KeyObject } from 'node:crypto';
import { createKek, type KekSecret } from '../security/kek.ts';
import { createKeyring, KEY_PURPOSES, type Keyring, type WrappedKey } from '../security/keyring.ts';
import type { Database } from './orm.ts';
import { rows, run } from './sql.ts';

export interface KeyringSecrets {
  sessionSecret: string;
  sessionSecretPrevious: string | undefined;
  masterKey: { kind: 'passphrase'; passphrase: string } | { kind: 'key'; key: KeyObject };
}

/**
 * Opens the keyring that PostgreSQL keeps wrapped, and makes the first key of every purpose that has none yet. Several
 * processes may boot at once: an advisory lock lets one make keys, the others read them.
 *
 * @throws KeyringError when SESSION_SECRET or the master key is not the one that wrapped the stored keys
 */
export async function openKeyring(db: Database, secrets: KeyringSecrets): Promise<Keyring> {
  const master: KekSecret =
    secrets.masterKey.kind === 'key'
      ? { raw: secrets.masterKey.key.export() }
      : { passphrase: secrets.masterKey.passphrase };
  const previous = secrets.sessionSecretPrevious ? [{ passphrase: secrets.sessionSecretPrevious }] : [];
  const keyring = createKeyring({
    keks: {
      session: createKek({ name: 'session', secret: { passphrase: secrets.sessionSecret }, previous }),
      master: createKek({ name: 'master', secret: master }),
    },
  });
  await db.transaction(async (tx) => {
    await run(tx, `select pg_advisory_xact_lock(hashtext('tradeguard.keyring'))`);
    const stored = await rows<{ record: WrappedKey; retired_at: string | null }>(
      tx,
      'select record, retired_at from keyring_key order by purpose, version',
    );
    for (const { record, retired_at } of stored) {
      const { wrappedByPrevious } = await keyring.openWrapped(record, { active: retired_at === null });
      if (!wrappedByPrevious) continue;
      const rewrapped = await keyring.rewrap(record);
      await run(tx, 'update keyring_key set record = $2::jsonb where key_id = $1', [
        record.keyId,
        JSON.stringify(rewrapped),
      ]);
    }
    const present = new Set(stored.filter((key) => key.retired_at === null).map((key) => key.record.purpose));
    for (const purpose of KEY_PURPOSES) {
      if (present.has(purpose)) continue;
      const record = await keyring.generateWrapped(purpose);
      await run(tx, 'insert into keyring_key (key_id, purpose, version, record) values ($1, $2, $3, $4::jsonb)', [
        record.keyId,
        purpose,
        record.version,
        JSON.stringify(record),
      ]);
      await keyring.openWrapped(record, { active: true });
    }
  });
  return keyring;
}
