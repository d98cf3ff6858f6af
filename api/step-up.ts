import { z } from 'zod';
import { createFactorVerification } from '../db/factor-verification.ts';
import { checkFactor, drawEmailCode, failedTries } from '../db/factors.ts';
import { recordIndicators } from '../db/indicators.ts';
import { availableMethods } from '../db/owned-factors.ts';
import { lockForFreeze } from '../db/restrictions.ts';
import { oneRow, row } from '../db/sql.ts';
import { DomainError, isDomainError } from '../domain/errors.ts';
import { MAX_FACTOR_ATTEMPTS, offeredMethods } from '../domain/login.ts';
import { ROLES } from '../domain/roles.ts';
import { awaitOutcome } from './await-outcome.ts';
import type { ApiDeps } from './deps.ts';
import { factorMethod } from './enumerations.ts';
import { factorDeps } from './factor-deps.ts';
import { factorBody } from './input.ts';
import { tellRestriction } from './restriction-workflow.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';

/** How long an answer waits for the letter it speaks of. */
const HAND_OVER_MS = 2_000;
const ANYBODY = { kind: 'session', roles: ROLES, ownership: 'own' } as const;

/** Proves a factor again within a session, for the calls that ask for a fresh one. */
export function createStepUpRoutes(deps: ApiDeps): Route[] {
  const { config, db, keyring, audit, outbox } = deps;
  const factors = createFactorVerification(factorDeps(deps));

  async function methodsOf(userId: string) {
    const available = await availableMethods(db.fork(), userId);
    return offeredMethods({ available, proven: [], purpose: 'login' });
  }

  async function stepUp(context: RouteContext<unknown, unknown, z.output<typeof factorBody>>): Promise<Reply> {
    const { userId, sessionId } = principalOf(context);
    const { ip, userAgent, requestId } = context.request;
    const methods = await methodsOf(userId);
    if (!methods.includes(context.body.method)) {
      throw new DomainError('validation_failed', `body/method: must be ${methods.join(' or ')}`, {
        errors: [{ in: 'body', pointer: '/method', detail: `must be ${methods.join(' or ')}` }],
      });
    }
    const challenge = { kind: 'step_up', id: sessionId, userId } as const;
    // A refusal is returned, not thrown: the try must stay counted.
    const result = await db.transaction(async (tx) => {
      // The person first, as everywhere: too many wrong answers may freeze the account, which ends this session.
      await lockForFreeze(tx, userId);
      const session = await row(tx, 'select 1 from session where id = $1 and revoked_at is null for update', [
        sessionId,
      ]);
      if (session === undefined) throw new DomainError('session_required', 'This session was ended.');
      const checked = await checkFactor(tx, factors, {
        challenge,
        ...context.body,
        request: { ip, userAgent, requestId },
        maxTries: MAX_FACTOR_ATTEMPTS,
        waitsForMs: config.verdictTimeout,
      });
      if (checked.outcome === 'exhausted') return { passed: false as const, triesLeft: null, restrictions: [] };
      if (!checked.repeated) {
        await audit.append(tx, {
          action: checked.passed ? 'session.stepped_up' : 'session.step_up_failed',
          actor: { kind: 'user', id: userId },
          subject: { kind: 'session', id: sessionId },
          outcome: checked.passed ? 'success' : 'failure',
          ...{ ip, userAgent, requestId },
          details: { method: context.body.method },
        });
      }
      if (!checked.passed) {
        const triesLeft = Math.max(0, MAX_FACTOR_ATTEMPTS - (await failedTries(tx, challenge)));
        const exhausted = { kind: 'factor_exhausted', key: `step-up:${sessionId}`, details: { sessionId } } as const;
        const found = triesLeft === 0 ? [exhausted] : [];
        const { restrictions } = await recordIndicators(tx, { audit, outbox }, userId, found, {
          ip,
          userAgent,
          requestId,
        });
        return { passed: false as const, triesLeft, restrictions };
      }
      // The time of the attempt, not of this request: a code that was used does not get fresher by being sent again.
      const { factor_at: factorAt } = await oneRow<{ factor_at: string }>(
        tx,
        'update session set factor_at = greatest(factor_at, $2) where id = $1 returning factor_at',
        [sessionId, checked.at.toISOString()],
      );
      return { passed: true as const, factorAt };
    });
    if (!result.passed) {
      for (const restrictionId of result.restrictions) await tellRestriction(deps, { restrictionId, userId });
      if (result.triesLeft === null) {
        throw new DomainError('rate_limited', 'Too many wrong answers in this session: sign in again.');
      }
      throw new DomainError('factor_invalid', 'The code is wrong, used or too old.', { triesLeft: result.triesLeft });
    }
    const at = new Date(result.factorAt);
    return {
      status: 200,
      body: {
        status: 'fresh',
        factorAt: at.toISOString(),
        freshUntil: new Date(at.getTime() + config.stepUpFreshness).toISOString(),
      },
    };
  }

  async function mailCode(context: RouteContext): Promise<Reply> {
    const { userId, sessionId, email } = principalOf(context);
    const methods = await methodsOf(userId);
    if (!methods.includes('email_code')) {
      throw new DomainError('not_awaiting_factor', `This account proves itself by ${methods.join(' or ')}.`);
    }
    const mailId = await db.transaction((tx) =>
      drawEmailCode(
        tx,
        { keyring, outbox },
        { challenge: { kind: 'step_up', id: sessionId, userId }, email, ttlMs: config.emailCodeTtl, again: true },
      ),
    );
    if (mailId === null) {
      throw new DomainError('rate_limited', 'Three codes an hour are sent to one account at most.', {
        retryAfter: 3_600,
      });
    }
    await handedOver(mailId);
    return { status: 202, body: { status: 'sent', methods } };
  }

  /** Who is told that a code was sent should find it; a mail server that is slow or down is not waited for. */
  async function handedOver(mailId: string): Promise<void> {
    const isTried = () =>
      row<{ id: string }>(
        db.fork(),
        'select id from outbox_mail where id = $1 and (sent_at is not null or last_error is not null)',
        [mailId],
      );
    await awaitOutcome(isTried, HAND_OVER_MS).catch((error: unknown) => {
      if (!(isDomainError(error) && error.code === 'verdict_pending')) throw error;
    });
  }

  return [
    route({
      method: 'post',
      path: '/api/auth/step-up',
      name: 'stepUp',
      summary: 'Prove a factor again; good for five minutes',
      access: ANYBODY,
      body: factorBody,
      responses: {
        200: {
          description: 'The session has a fresh factor',
          schema: z.object({
            status: z.literal('fresh'),
            factorAt: z.iso.datetime(),
            freshUntil: z.iso.datetime(),
          }),
        },
        401: { description: 'factor_invalid, with triesLeft' },
        429: { description: 'rate_limited: five wrong answers in this session' },
      },
      handler: stepUp,
    }),
    route({
      method: 'post',
      path: '/api/auth/step-up/code',
      name: 'mailStepUpCode',
      summary: 'Have a code mailed, where the account proves itself by its mailbox',
      access: ANYBODY,
      responses: {
        202: {
          description: 'Sent',
          schema: z.object({ status: z.literal('sent'), methods: z.array(factorMethod) }),
        },
        409: { description: 'not_awaiting_factor' },
        429: { description: 'rate_limited: three mails an hour' },
      },
      handler: mailCode,
    }),
  ];
}
