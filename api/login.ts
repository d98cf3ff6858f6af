import { WorkflowNotFoundError } from '@temporalio/client';
import { z } from 'zod';
import { createFactorVerification } from '../db/factor-verification.ts';
import { checkFactor, earlierAttempt, type FactorSubmission } from '../db/factors.ts';
import { loginSubject } from '../db/login-subject.ts';
import { appliedFactor, readLogin } from '../db/logins.ts';
import type { Tx } from '../db/sql.ts';
import { credentialsByEmail } from '../db/users.ts';
import { DomainError } from '../domain/errors.ts';
import { isFinalLogin, MAX_FACTOR_ATTEMPTS } from '../domain/login.ts';
import { networkKey } from '../domain/network.ts';
import { decryptField } from '../security/field-encryption.ts';
import { hashToken, newOpaqueToken, searchTag } from '../security/tokens.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { LoginFactorOutcome } from '../workflows/contract.ts';
import type { ApiDeps } from './deps.ts';
import { describeDevice, deviceInput } from './device-input.ts';
import { factorDeps, factsOf } from './factor-deps.ts';
import { emailInput, factorBody, passwordInput, tokenInput } from './input.ts';
import { authenticatedSchema, createLoginAnswers, denied, expired, factorNeededSchema } from './login-answer.ts';
import { createLoginAttempts } from './login-attempt.ts';
import { type Reply, type RequestFacts, type Route, type RouteContext, route } from './route.ts';
import { createTokenDelivery, factorTokens } from './session-tokens.ts';

const loginBody = z.strictObject({
  email: emailInput,
  password: passwordInput,
  device: deviceInput,
  deviceToken: tokenInput.optional().describe('From an earlier login or the registration; browsers send a cookie'),
});
const loginPath = z.object({ loginId: z.uuid() });

/** A submission sent again is answered again for this long; afterwards its code is as used as any other. */
const REPEAT_MS = 60_000;

/** Signing in: the password, then the factors that its risk asks for. */
export function createLoginRoutes(deps: ApiDeps): Route[] {
  const { config, db, keyring, gateway, geo } = deps;
  const attempts = createLoginAttempts(deps);
  const delivery = createTokenDelivery({ keyring, production: config.production });
  const answers = createLoginAnswers(deps, delivery);
  const factors = createFactorVerification(factorDeps(deps));

  async function login({ body, request }: RouteContext<unknown, unknown, z.output<typeof loginBody>>): Promise<Reply> {
    const user = await credentialsByEmail(db.fork(), body.email);
    const loginId = uuidV7();
    const attemptId = uuidV7();
    const subject = loginSubject(keyring, body.email);
    const device = describeDevice(body.device);
    const tokens = { session: newOpaqueToken(), device: newOpaqueToken() };
    await attempts.reserve({
      loginId,
      attemptId,
      subject,
      userId: user?.id ?? null,
      channel: request.channel,
      device: device.components,
      deviceSignature: device.signature,
      deviceCookieHashes: delivery.presentedDevice(request, body.deviceToken),
      ip: request.ip,
      network: request.ip === null ? null : networkKey(request.ip),
      userAgent: request.userAgent,
      place: request.ip === null ? { unknown: 'invalid' } : geo.lookup(request.ip),
      requestId: request.requestId,
      sessionHash: hashToken(keyring, 'session', tokens.session),
      newDeviceCookieHash: hashToken(keyring, 'device-cookie', tokens.device),
    });
    const passwordOk = await attempts.check(user, body.password);
    const userTag = searchTag(keyring, user?.id ?? subject.toString('hex'));
    let verdict: LoginFactorOutcome;
    try {
      verdict = await gateway.login({ loginId, attemptId, passwordOk, userTag, settings: attempts.settings });
    } catch (error) {
      await attempts.giveUp(loginId);
      throw error;
    }
    if (verdict.status === 'abandoned' || verdict.status === 'expired') {
      throw new DomainError('verdict_pending', 'Signing in took too long. Nothing was granted; try again.', {
        retryAfter: 2,
      });
    }
    return answers.answer(verdict, { loginId, channel: request.channel, tokens });
  }

  /** Checks and records the answer to a challenge, under the lock of the login's row. */
  async function recordFactor(tx: Tx, loginId: string, given: z.output<typeof factorBody>, request: RequestFacts) {
    const found = await readLogin(tx, loginId, 'lock');
    if (!found?.userId || found.status === 'pending') throw new DomainError('not_found', 'There is no such sign-in.');
    const location = { table: 'login', column: 'enrolment_secret', rowId: loginId };
    const submission: FactorSubmission = {
      challenge: { kind: 'login', id: loginId, userId: found.userId },
      ...given,
      request: factsOf(request),
      maxTries: MAX_FACTOR_ATTEMPTS,
      waitsForMs: config.verdictTimeout,
      ...(found.enrolmentSecret === null
        ? {}
        : { enrolmentSecret: decryptField(keyring, found.enrolmentSecret, location) }),
      tokenHashes: (attemptId) => {
        const tokens = factorTokens(keyring, attemptId);
        return {
          session: hashToken(keyring, 'session', tokens.session),
          device: hashToken(keyring, 'device-cookie', tokens.device),
        };
      },
    };
    const earlier = await earlierAttempt(tx, keyring, submission);
    if (earlier !== undefined) {
      if (earlier.passed && Date.now() - earlier.at.getTime() > REPEAT_MS) throw expired();
      const outcome = await appliedFactor<LoginFactorOutcome>(tx, loginId, earlier.attemptId);
      return { channel: found.channel, attemptId: earlier.attemptId, outcome };
    }
    if (found.status === 'denied') throw denied();
    if (isFinalLogin(found.status) || found.expired) throw expired();
    if (!found.methods.includes(given.method)) {
      throw new DomainError('validation_failed', `body/method: this sign-in asks for ${found.methods.join(' or ')}`, {
        errors: [{ in: 'body', pointer: '/method', detail: `must be ${found.methods.join(' or ')}` }],
      });
    }
    const checked = await checkFactor(tx, factors, submission);
    if (checked.outcome === 'exhausted') throw denied();
    return { channel: found.channel, attemptId: checked.attemptId, outcome: undefined };
  }

  async function submitFactor({
    params: { loginId },
    body,
    request,
  }: RouteContext<z.output<typeof loginPath>, unknown, z.output<typeof factorBody>>): Promise<Reply> {
    const { channel, attemptId, outcome } = await db.transaction((tx) => recordFactor(tx, loginId, body, request));
    const applied = outcome ?? (await awaitOutcome(loginId, attemptId));
    return answers.answer(applied, { loginId, channel, tokens: factorTokens(keyring, attemptId) });
  }

  async function awaitOutcome(loginId: string, attemptId: string): Promise<LoginFactorOutcome> {
    try {
      return await gateway.submitLoginFactor(loginId, attemptId);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      // It ended between our look and this call; what it decided is in the database.
      return (await appliedFactor<LoginFactorOutcome>(db.fork(), loginId, attemptId)) ?? { status: 'expired' };
    }
  }

  async function resend({ params: { loginId } }: RouteContext<z.output<typeof loginPath>>): Promise<Reply> {
    const found = await readLogin(db.fork(), loginId, 'no_lock');
    if (!found?.userId || found.status === 'pending') throw new DomainError('not_found', 'There is no such sign-in.');
    if (isFinalLogin(found.status) || found.expired) throw expired();
    if (!found.methods.includes('email_code')) {
      throw new DomainError('not_awaiting_factor', 'This sign-in waits for no e-mailed code.');
    }
    const { status } = await gateway.resendLoginCode(loginId, uuidV7());
    if (status === 'closed') throw expired();
    if (status === 'too_many') {
      throw new DomainError('rate_limited', 'Three codes an hour are sent to one account at most.', {
        retryAfter: 3_600,
      });
    }
    return { status: 202, body: { status: 'sent', loginId } };
  }

  return [
    route({
      method: 'post',
      path: '/api/auth/login',
      name: 'login',
      summary: 'Sign in with a password',
      access: { kind: 'public' },
      body: loginBody,
      responses: {
        200: { description: 'Signed in', schema: authenticatedSchema, headers: ['SetCookie'] },
        202: { description: 'A factor is needed, or staff enrol one', schema: factorNeededSchema },
        401: { description: 'invalid_credentials' },
        403: { description: 'login_denied, account_restricted or account_disabled' },
        423: { description: 'account_locked, with Retry-After' },
        429: { description: 'rate_limited, with Retry-After' },
      },
      handler: login,
    }),
    route({
      method: 'post',
      path: '/api/auth/login/{loginId}/factors',
      name: 'submitLoginFactor',
      summary: 'Prove a factor of a sign-in',
      access: { kind: 'public' },
      params: loginPath,
      body: factorBody,
      responses: {
        200: { description: 'Signed in', schema: authenticatedSchema, headers: ['SetCookie'] },
        202: { description: 'Another factor is needed', schema: factorNeededSchema },
        401: { description: 'factor_invalid, with triesLeft' },
        403: { description: 'login_denied: too many wrong answers; account_restricted or account_disabled meanwhile' },
        410: { description: 'login_expired' },
        423: { description: 'account_locked meanwhile, with Retry-After' },
      },
      handler: submitFactor,
    }),
    route({
      method: 'post',
      path: '/api/auth/login/{loginId}/factors/resend',
      name: 'resendLoginCode',
      summary: 'Mail a new code',
      access: { kind: 'public' },
      params: loginPath,
      responses: {
        202: { description: 'Sent', schema: z.object({ status: z.literal('sent'), loginId: z.uuid() }) },
        409: { description: 'not_awaiting_factor' },
        410: { description: 'login_expired' },
        429: { description: 'rate_limited: three mails an hour' },
      },
      handler: resend,
    }),
  ];
}
