import type { KeyObject } from 'node:crypto';
import { createKek, type KekSecret } from '../security/kek.ts';
import { createKeyring, KEY_PURPOSES, type Keyring, type WrappedKey } from '../security/keyring.ts';
import type { Database } from './orm.ts';
import { rows, run, type Tx } from './sql.ts';

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
    const stored = await readGenerations(tx);
    for (const { record, active } of stored) {
      const { wrappedByPrevious } = await keyring.openWrapped(record, { active });
      if (!wrappedByPrevious) continue;
      const rewrapped = await keyring.rewrap(record);
      await run(tx, 'update keyring_key set record = $2::jsonb where key_id = $1', [
        record.keyId,
        JSON.stringify(rewrapped),
      ]);
    }
    const present = new Set(stored.map((key) => key.record.purpose));
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

/**
 * Takes in what other processes changed: loads new generations, makes the one active whose time has come, forgets those
 * that were dropped. Keys that are loaded already are not opened again.
 *
 * @throws KeyringError when a stored key does not open
 */
export async function syncKeyring(tx: Tx, keyring: Keyring): Promise<void> {
  const stored = await readGenerations(tx);
  for (const { record, active } of stored) {
    const loaded = keyring.generations(record.purpose).find(({ keyId }) => keyId === record.keyId);
    if (loaded === undefined || (active && !loaded.active)) await keyring.openWrapped(record, { active });
  }
  const kept = new Set(stored.map(({ record }) => record.keyId));
  for (const purpose of KEY_PURPOSES) {
    for (const { keyId } of keyring.generations(purpose)) {
      if (!kept.has(keyId)) keyring.forget(purpose, keyId);
    }
  }
}

/** Oldest first. The clock of the database decides which generation is active, so all processes change over together. */
function readGenerations(tx: Tx): Promise<{ record: WrappedKey; active: boolean }[]> {
  return rows(
    tx,
    `select record, active_from <= clock_timestamp() and (retired_at is null or retired_at > clock_timestamp()) as active
       from keyring_key order by purpose, version`,
  );
}
