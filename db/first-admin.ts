import type { Config } from '../platform/config.ts';
import { newOneTimePassword } from '../security/one-time-password.ts';
import { createPasswordHasher } from '../security/passwords.ts';
import { createAuditLog } from './audit.ts';
import { openKeyring } from './keyring.ts';
import { createOrm } from './orm.ts';
import { row, run, type Tx } from './sql.ts';
import { createSubjectKeys } from './subject-keys.ts';
import { createUser } from './users.ts';

export interface FirstAdmin {
  created: boolean;
  /** Of the first administrator, whoever that is. */
  email: string;
  /** Present when one was drawn by this call: shown now or never. */
  oneTimePassword?: string;
}

/**
 * Makes the first administrator, exactly once: under a lock, and only while there is no administrator at all. A given
 * password is final; without one a one-time password is drawn, which must be changed at the first sign-in.
 *
 * @throws when the address belongs to somebody who is no administrator; KeyringError where the secrets are not those that
 *   wrapped the stored keys
 */
export async function ensureFirstAdmin(given: {
  config: Pick<Config, 'databaseUrl' | 'auditKey' | 'sessionSecret' | 'sessionSecretPrevious' | 'masterKey'>;
  email: string;
  password?: string;
}): Promise<FirstAdmin> {
  const db = await createOrm({
    databaseUrl: given.config.databaseUrl,
    poolMax: 2,
    applicationName: 'tradeguard-admin',
  });
  try {
    const before = await presentAdmin(db.fork());
    if (before !== undefined) return { created: false, email: before.email };
    const drawn = given.password === undefined ? newOneTimePassword() : undefined;
    // Hashed before the lock is taken: nobody waits for argon2 while holding it.
    const passwordHash = await createPasswordHasher().hash(given.password ?? drawn ?? '');
    const subjectKeys = createSubjectKeys({ keyring: await openKeyring(db, given.config) });
    const audit = createAuditLog({ auditKey: given.config.auditKey });
    return await db.transaction(async (tx): Promise<FirstAdmin> => {
      await run(tx, `select pg_advisory_xact_lock(hashtext('tradeguard.first-admin'))`);
      const present = await presentAdmin(tx);
      if (present !== undefined) return { created: false, email: present.email };
      const userId = await createUser(
        tx,
        { audit, subjectKeys },
        {
          email: given.email,
          fullName: 'First administrator',
          timeZone: null,
          role: 'admin',
          passwordHash,
          oneTime: drawn !== undefined,
          confirmed: true,
          actor: { kind: 'operator' },
        },
      );
      if (userId === undefined) {
        throw new Error(`${given.email} belongs to an account that is no administrator's. Choose another address.`);
      }
      return { created: true, email: given.email, ...(drawn === undefined ? {} : { oneTimePassword: drawn }) };
    });
  } finally {
    await db.close();
  }
}

function presentAdmin(tx: Tx): Promise<{ email: string } | undefined> {
  return row(tx, `select email from app_user where role = 'admin' order by created_at limit 1`);
}
