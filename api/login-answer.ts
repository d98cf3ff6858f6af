import { z } from 'zod';
import { row } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import { decryptField } from '../security/field-encryption.ts';
import { otpauthUri } from '../security/totp.ts';
import type { LoginFactorOutcome } from '../workflows/contract.ts';
import type { ApiDeps } from './deps.ts';
import { factorMethod } from './enumerations.ts';
import { nameSchemas } from './named-schemas.ts';
import type { Reply, RequestFacts } from './route.ts';
import type { TokenDelivery } from './session-tokens.ts';

/** What a login and each of its factors is answered with. */
export const authenticatedSchema = z.object({
  status: z.literal('authenticated'),
  loginId: z.uuid(),
  session: z.object({ token: z.string().optional().describe('Not for browsers'), expiresAt: z.iso.datetime() }),
  csrfToken: z.string().optional().describe('Browsers only'),
  deviceToken: z.string().optional().describe('Keep it and send it with the next login; not for browsers'),
  passwordChangeRequired: z.boolean(),
});
/** What an authenticator app needs; shown now and in the app only. */
export const totpEnrolment = z.object({ secret: z.string(), otpauthUri: z.string() });
export const factorNeededSchema = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('step_up_required'),
    loginId: z.uuid(),
    methods: z.array(factorMethod),
    expiresAt: z.iso.datetime(),
  }),
  z.object({
    status: z.literal('enrolment_required'),
    loginId: z.uuid(),
    totp: totpEnrolment,
    expiresAt: z.iso.datetime(),
  }),
]);
nameSchemas({ TotpEnrolment: totpEnrolment, SignedIn: authenticatedSchema, FactorChallenge: factorNeededSchema });

export interface AnswerContext {
  loginId: string;
  channel: RequestFacts['channel'];
  tokens: { session: string; device: string };
}

/** Turns what a login came to into an answer. Why is for staff and the audit log, never for the person who logs in. */
export function createLoginAnswers({ db, keyring }: ApiDeps, delivery: TokenDelivery) {
  async function enrolment(loginId: string): Promise<{ secret: string; otpauthUri: string }> {
    const found = await row<{ secret: string | null; email: string }>(
      db.fork(),
      'select l.enrolment_secret as secret, u.email from login l join app_user u on u.id = l.user_id where l.id = $1',
      [loginId],
    );
    if (!found?.secret) throw expired();
    const location = { table: 'login', column: 'enrolment_secret', rowId: loginId };
    const secret = decryptField(keyring, found.secret, location);
    return { secret, otpauthUri: otpauthUri({ issuer: 'Tradeguard', account: found.email, secret }) };
  }

  return {
    /** @throws DomainError for every outcome but a session and the wish for a factor */
    async answer(outcome: LoginFactorOutcome, { loginId, channel, tokens }: AnswerContext): Promise<Reply> {
      switch (outcome.status) {
        case 'authenticated': {
          const { sessionId, expiresAt, passwordChangeRequired, issuesDevice } = outcome;
          const deviceToken = issuesDevice ? tokens.device : null;
          const handed = delivery.session(channel, { sessionId, token: tokens.session, expiresAt, deviceToken });
          return {
            status: 200,
            cookies: handed.cookies,
            body: { status: 'authenticated', loginId, ...handed.body, passwordChangeRequired },
          };
        }
        case 'step_up_required':
          return { status: 202, body: { ...outcome, loginId } };
        case 'enrolment_required':
          return { status: 202, body: { ...outcome, loginId, totp: await enrolment(loginId) } };
        case 'factor_invalid':
          throw new DomainError('factor_invalid', 'The code is wrong, used or too old.', {
            triesLeft: outcome.triesLeft,
          });
        case 'invalid_credentials':
          throw invalidCredentials();
        case 'locked':
          throw locked(outcome.lockedUntil);
        case 'denied':
          throw outcome.code === 'account_disabled'
            ? new DomainError('account_disabled', 'This account is disabled. Ask us.')
            : denied();
        case 'restricted':
          throw new DomainError('account_restricted', 'This account is restricted. Ask us.');
        case 'expired':
        case 'abandoned':
          throw expired();
      }
    },
  };
}

export function invalidCredentials(): DomainError {
  return new DomainError('invalid_credentials', 'The e-mail address or the password is wrong.');
}

export function locked(lockedUntil: string): DomainError {
  return new DomainError('account_locked', 'There were too many wrong passwords. Try again later.', {
    retryAfter: (Date.parse(lockedUntil) - Date.now()) / 1000,
  });
}

export function denied(): DomainError {
  return new DomainError('login_denied', 'This sign-in was refused. The account’s owner was told by e-mail.');
}

export function expired(): DomainError {
  return new DomainError('login_expired', 'This sign-in is over. Start again.');
}
