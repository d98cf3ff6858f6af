import { z } from 'zod';
import { readLogin } from '../db/logins.ts';
import { availableMethods } from '../db/owned-factors.ts';
import { assertionOptions, type PasskeyOccasion } from '../db/passkeys.ts';
import { askQuestions } from '../db/security-questions.ts';
import type { Tx } from '../db/sql.ts';
import { areTermsUnchanged, reportAlteredTerms, transactionChallenge } from '../db/step-up-terms.ts';
import { lockTransaction } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { isFinalLogin } from '../domain/login.ts';
import { ROLES } from '../domain/roles.ts';
import type { ApiDeps } from './deps.ts';
import { factorDeps, factsOf } from './factor-deps.ts';
import { expired } from './login-answer.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';
import { notAwaitingFactor, termsChanged, transactionNotFound } from './transaction-answers.ts';

const loginPath = z.object({ loginId: z.uuid() });
const transactionPath = z.object({ transactionId: z.uuid() });

/** How long an authenticator may take to sign a challenge. */
const ASSERTION_MS = 300_000;

const publicKeySchema = z.looseObject({ challenge: z.string() }).describe('For `navigator.credentials.get`');
const passkeySchema = z.object({ webauthn: z.object({ publicKey: publicKeySchema }) });
nameSchemas({ PasskeyRequestOptions: publicKeySchema, PasskeyChallenge: passkeySchema });

/** What has to be known before some factors can be given: the challenge for a passkey, the questions that are asked. */
export function createFactorOptionRoutes(deps: ApiDeps): Route[] {
  const { db, keyring } = deps;
  const passkeys = factorDeps(deps);

  async function challengeFor(tx: Tx, occasion: PasskeyOccasion) {
    return { publicKey: await assertionOptions(tx, passkeys, { occasion, ttlMs: ASSERTION_MS }) };
  }

  async function forLogin({ params: { loginId } }: RouteContext<z.output<typeof loginPath>>): Promise<Reply> {
    const webauthn = await db.transaction(async (tx) => {
      const login = await readLogin(tx, loginId, 'lock');
      if (!login?.userId || login.status === 'pending') throw new DomainError('not_found', 'There is no such sign-in.');
      if (isFinalLogin(login.status) || login.expired) throw expired();
      if (!login.methods.includes('webauthn')) throw noPasskey('This sign-in waits for no passkey.');
      return challengeFor(tx, { purpose: 'login', subjectId: loginId, userId: login.userId });
    });
    return { status: 200, body: { webauthn } };
  }

  async function forSession(context: RouteContext): Promise<Reply> {
    const { userId, sessionId } = principalOf(context);
    const webauthn = await db.transaction(async (tx) => {
      const methods = await availableMethods(tx, userId);
      if (!methods.includes('webauthn')) throw noPasskey('This account has no passkey.');
      return challengeFor(tx, { purpose: 'step_up', subjectId: sessionId, userId });
    });
    return { status: 200, body: { webauthn } };
  }

  async function forTransaction(context: RouteContext<z.output<typeof transactionPath>>): Promise<Reply> {
    const { transactionId } = context.params;
    const { userId } = principalOf(context);
    const body = await db.transaction(async (tx) => {
      const found = await lockTransaction(tx, transactionId);
      if (found === undefined || found.user_id !== userId) throw transactionNotFound();
      if (found.status !== 'step_up_required') throw notAwaitingFactor(found);
      if (!areTermsUnchanged(found)) {
        await reportAlteredTerms(tx, deps, found, factsOf(context.request));
        return null;
      }
      const { terms } = transactionChallenge(found);
      const occasion = { purpose: 'transaction', subjectId: transactionId, userId } as const;
      return {
        ...(found.methods.includes('webauthn')
          ? { webauthn: await challengeFor(tx, { ...occasion, ...(terms === undefined ? {} : { terms }) }) }
          : {}),
        ...(found.methods.includes('security_questions') && passkeys.securityQuestions
          ? { securityQuestions: await askQuestions(tx, keyring, { transactionId, userId }) }
          : {}),
      };
    });
    // The incident is committed before the refusal.
    if (body === null) throw termsChanged();
    return { status: 200, body };
  }

  return [
    route({
      method: 'post',
      path: '/api/auth/login/{loginId}/factors/options',
      name: 'loginFactorOptions',
      summary: 'The challenge that a passkey signs to finish a sign-in',
      access: { kind: 'public' },
      params: loginPath,
      responses: {
        200: { description: 'Signed once, within five minutes; earlier options stop working', schema: passkeySchema },
        409: { description: 'not_awaiting_factor: no passkey is waited for' },
        410: { description: 'login_expired' },
      },
      handler: forLogin,
    }),
    route({
      method: 'post',
      path: '/api/auth/step-up/options',
      name: 'stepUpOptions',
      summary: 'The challenge that a passkey signs to step up',
      access: { kind: 'session', roles: ROLES, ownership: 'own' },
      responses: {
        200: { description: 'Signed once, within five minutes; earlier options stop working', schema: passkeySchema },
        409: { description: 'not_awaiting_factor: there is no passkey' },
      },
      handler: forSession,
    }),
    route({
      method: 'post',
      path: '/api/transactions/{transactionId}/factors/options',
      name: 'transactionFactorOptions',
      summary: 'The challenge for a passkey, and the security questions, that can confirm a transaction',
      access: { kind: 'session', roles: ['customer', 'admin'], ownership: 'own' },
      params: transactionPath,
      responses: {
        200: {
          description: 'What the transaction’s methods need; the questions are the same at every call',
          schema: z.object({
            webauthn: z.object({ publicKey: publicKeySchema }).optional(),
            securityQuestions: z.array(z.object({ questionId: z.uuid(), question: z.string() })).optional(),
          }),
        },
        409: { description: 'It waits for no factor, or is not what was to be confirmed: `terms_changed`' },
        410: { description: 'The time is over' },
      },
      handler: forTransaction,
    }),
  ];
}

function noPasskey(detail: string): DomainError {
  return new DomainError('not_awaiting_factor', detail);
}
