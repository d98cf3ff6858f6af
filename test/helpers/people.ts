import type { Database } from '../../db/orm.ts';
import { run } from '../../db/sql.ts';
import type { Role } from '../../domain/roles.ts';
import type { Config } from '../../platform/config.ts';
import { encryptField } from '../../security/field-encryption.ts';
import type { Keyring } from '../../security/keyring.ts';
import { createPasswordHasher } from '../../security/passwords.ts';
import { hashToken, newOpaqueToken } from '../../security/tokens.ts';
import { newTotpEnrolment, totpCodeAt, totpStepAt } from '../../security/totp.ts';
import { uuidV7 } from '../../security/uuid.ts';
import type { HttpClient } from './http.ts';

/** What a client tells about its device; the one people here register from. */
export const HOME_DEVICE = {
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  screen: { width: 1920, height: 1080, colorDepth: 24, pixelRatio: 1 },
  timezone: 'Europe/Berlin',
  language: 'de-DE',
  platform: 'Linux x86_64',
  plugins: ['PDF Viewer'],
};

export interface SignedIn {
  userId: string;
  email: string;
  password: string;
  token: string;
  /** base32; undefined for customers. */
  totpSecret: string;
}

const PASSWORD = 'correct horse battery staple';

/** Makes people: by the API's own doors, or, where a test is about something else, straight in the database. */
export function createPeople(deps: { api: HttpClient; db: Database; keyring: Keyring; config: Config }) {
  const { api, db, keyring } = deps;
  const hasher = createPasswordHasher();
  const usedSteps = new Map<string, number>();
  let counter = 0;

  /** A code of this secret that was not used yet: of this half minute, so that a slow machine has time to send it, else of the next. */
  function totpCode(secret: string): string {
    const now = totpStepAt(Date.now());
    const step = Math.max(now, (usedSteps.get(secret) ?? 0) + 1);
    if (step > now + 1) throw new Error('two codes were used already: the next one comes in half a minute');
    usedSteps.set(secret, step);
    return totpCodeAt(secret, step);
  }

  function newAddress(): string {
    counter += 1;
    return `person${counter}.${uuidV7().slice(-6)}@example.com`;
  }

  return {
    totpCode,
    newAddress,

    /** Registers by `POST /api/auth/register` from {@link HOME_DEVICE}. */
    async register(
      given: { email?: string; password?: string; device?: unknown; headers?: Record<string, string> } = {},
    ) {
      const { email = newAddress(), password = PASSWORD, device = HOME_DEVICE, headers = {} } = given;
      const answer = await api.post(
        '/api/auth/register',
        { email, password, fullName: 'Test Person', device },
        { headers },
      );
      if (answer.status !== 201) throw new Error(`register answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      return { email, password, device, answer };
    },

    /** `POST /api/auth/login`; whatever comes is the caller's to judge. */
    login: (
      person: { email: string; password?: string; device?: unknown },
      options: { device?: unknown; headers?: Record<string, string> } = {},
    ) =>
      api.post(
        '/api/auth/login',
        {
          email: person.email,
          password: person.password ?? PASSWORD,
          device: options.device ?? person.device ?? HOME_DEVICE,
        },
        { headers: options.headers ?? {} },
      ),

    /** Registers and logs in from the same device. */
    async customer(): Promise<{ email: string; password: string; token: string }> {
      const person = await this.register();
      const answer = await this.login(person);
      if (answer.status !== 200) throw new Error(`login answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      return { email: person.email, password: person.password, token: answer.body.session.token };
    },

    /**
     * Somebody with a password, a confirmed TOTP factor and a session with a fresh factor, written to the database: for
     * tests that are not about signing in.
     */
    async signedIn(role: Role): Promise<SignedIn> {
      const userId = uuidV7();
      const email = newAddress();
      const token = newOpaqueToken();
      const { secret } = newTotpEnrolment({ issuer: 'Tradeguard', account: email });
      const passwordHash = await hasher.hash(PASSWORD);
      await db.transaction(async (tx) => {
        await run(
          tx,
          `insert into app_user (id, email, email_key, full_name, role, password_hash, password_changed_at, email_confirmed_at)
           values ($1, $2, $2, 'Test Person', $3, $4, clock_timestamp(), clock_timestamp())`,
          [userId, email, role, passwordHash],
        );
        await run(tx, 'insert into totp_factor (user_id, secret, confirmed_at) values ($1, $2, clock_timestamp())', [
          userId,
          encryptField(keyring, secret, { table: 'totp_factor', column: 'secret', rowId: userId }),
        ]);
        await run(
          tx,
          `insert into session (id, user_id, token_hash, scope, channel, factor_at, expires_at)
           values ($1, $2, $3, 'full', 'bearer', clock_timestamp(), clock_timestamp() + interval '1 hour')`,
          [uuidV7(), userId, hashToken(keyring, 'session', token)],
        );
      });
      return { userId, email, password: PASSWORD, token, totpSecret: secret };
    },
  };
}

export type People = ReturnType<typeof createPeople>;
