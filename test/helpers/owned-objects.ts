import { randomBytes } from 'node:crypto';
import { addDevice } from '../../db/devices.ts';
import { ensureAccount } from '../../db/ledger.ts';
import { run } from '../../db/sql.ts';
import { hashToken, newOpaqueToken } from '../../security/tokens.ts';
import { uuidV7 } from '../../security/uuid.ts';
import type { SignedIn } from './people.ts';
import { issueSigningKey } from './signing.ts';
import type { Stack } from './stack.ts';

export interface SessionOptions {
  scope?: 'full' | 'password_change';
  channel?: 'bearer' | 'cookie';
  /** Seconds ago; null for never. */
  factorAge?: number | null;
}

/** Makes what people own, straight in the database, for tests about who else gets to see it. */
export function createOwnedObjects({ api, db, keyring }: Pick<Stack, 'api' | 'db' | 'keyring'>) {
  async function session(userId: string, { scope = 'full', channel = 'bearer', factorAge = 0 }: SessionOptions = {}) {
    const id = uuidV7();
    const token = newOpaqueToken();
    await run(
      db.fork(),
      `insert into session (id, user_id, token_hash, scope, channel, factor_at, expires_at)
       values ($1, $2, $3, $4, $5, clock_timestamp() - $6 * interval '1 second', clock_timestamp() + interval '1 hour')`,
      [id, userId, hashToken(keyring, 'session', token), scope, channel, factorAge],
    );
    return { id, token };
  }

  function device(userId: string): Promise<string> {
    const components = {
      browser: 'firefox',
      os: 'linux',
      resolution: '1920x1080x24',
      timezone: 'utc',
      platform: 'linux',
      plugins: [],
    };
    return db.transaction((tx) =>
      addDevice(tx, userId, { components, signature: randomBytes(32), cookieHash: randomBytes(32) }),
    );
  }

  async function passkey(userId: string): Promise<string> {
    const id = uuidV7();
    await run(
      db.fork(),
      `insert into webauthn_credential (id, user_id, credential_id, public_key, counter, name)
       values ($1, $2, $3, $4, 0, 'key')`,
      [id, userId, randomBytes(32), randomBytes(77)],
    );
    return id;
  }

  /** A withdrawal that waits for an e-mailed code. */
  async function transaction(userId: string): Promise<string> {
    const id = uuidV7();
    await db.transaction(async (tx) => {
      const accountId = await ensureAccount(tx, { id: uuidV7(), userId });
      await run(
        tx,
        `insert into transaction (id, user_id, account_id, type, amount, currency, category, body_hash, status, score,
           rule_set_version, reasons, features, methods, first_status, first_body, t, step_up_expires_at, settings)
         values ($1, $2, $3, 'withdrawal', 100, 'USD', 'groceries', $4, 'step_up_required', 0, '1', '[]', '{}',
           '["email_code"]', 202, '{}', clock_timestamp(), clock_timestamp() + interval '1 hour', '{"maxFactorTries": 5, "baseCurrency": "USD"}')`,
        [id, userId, accountId, randomBytes(32)],
      );
    });
    return id;
  }

  const makers: Readonly<Record<string, (owner: SignedIn) => Promise<string>>> = {
    '/api/auth/mfa/webauthn': ({ userId }) => passkey(userId),
    '/api/auth/sessions': async ({ userId }) => (await session(userId)).id,
    '/api/devices': ({ userId }) => device(userId),
    '/api/signing-keys': async ({ token }) => (await issueSigningKey(api, token)).keyId,
    '/api/transactions': ({ userId }) => transaction(userId),
  };

  return {
    session,
    /** Makes an object that a path such as `/api/devices/{id}` names. @returns its id */
    async objectOf(path: string, owner: SignedIn): Promise<string> {
      const make = makers[path.slice(0, path.indexOf('/{'))];
      if (make === undefined) throw new Error(`nobody here knows how to make what ${path} names`);
      return make(owner);
    },
    /** The lists that show these objects. */
    lists: Object.keys(makers),
  };
}

export type OwnedObjects = ReturnType<typeof createOwnedObjects>;
