import { z } from 'zod';
import { totpField } from '../db/factors.ts';
import { dropOrphanedRecoveryCodes } from '../db/owned-factors.ts';
import { listPasskeys } from '../db/passkeys.ts';
import { recoveryCodesLeft } from '../db/recovery-codes.ts';
import { countQuestions } from '../db/security-questions.ts';
import { isoOrNull, row, run } from '../db/sql.ts';
import { authenticatorLetter } from '../domain/account-letters.ts';
import { DomainError } from '../domain/errors.ts';
import { isStaff, ROLES } from '../domain/roles.ts';
import { decryptField, encryptField } from '../security/field-encryption.ts';
import { newTotpEnrolment, verifyTotp } from '../security/totp.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { ApiDeps } from './deps.ts';
import { sixDigits } from './input.ts';
import { totpEnrolment } from './login-answer.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';

const confirmBody = z.strictObject({ code: sixDigits });
const enrolledFactors = z.object({
  totp: z.object({ enrolled: z.boolean(), confirmedAt: z.iso.datetime().nullable() }),
  webauthn: z.object({ passkeys: z.int() }),
  recoveryCodes: z.object({ left: z.int().describe('Codes that were not used') }),
  securityQuestions: z.object({ offered: z.boolean(), set: z.int() }),
});
nameSchemas({ EnrolledFactors: enrolledFactors });
const ANYBODY = { kind: 'session', roles: ROLES, ownership: 'own' } as const;

/** The caller's authenticator: enrol, confirm, remove. */
export function createMfaRoutes({ config, db, keyring, audit, outbox }: ApiDeps): Route[] {
  async function status(context: RouteContext): Promise<Reply> {
    const { userId } = principalOf(context);
    const found = await row<{ confirmed_at: string | null }>(
      db.fork(),
      'select confirmed_at from totp_factor where user_id = $1',
      [userId],
    );
    const confirmedAt = isoOrNull(found?.confirmed_at ?? null);
    const [passkeys, recoveryCodes, questions] = await Promise.all([
      listPasskeys(db.fork(), userId),
      recoveryCodesLeft(db.fork(), userId),
      countQuestions(db.fork(), userId),
    ]);
    return {
      status: 200,
      body: {
        totp: { enrolled: confirmedAt !== null, confirmedAt },
        webauthn: { passkeys: passkeys.length },
        recoveryCodes: { left: recoveryCodes },
        securityQuestions: { offered: config.securityQuestions === 'additional', set: questions },
      },
    };
  }

  async function enrol(context: RouteContext): Promise<Reply> {
    const { userId, email } = principalOf(context);
    const enrolment = newTotpEnrolment({ issuer: 'Tradeguard', account: email });
    // A secret that was never confirmed is replaced: whoever was shown it before has nothing.
    const stored = await run(
      db.fork(),
      `insert into totp_factor as f (user_id, secret) values ($1, $2)
       on conflict (user_id) do update set secret = excluded.secret, created_at = clock_timestamp()
       where f.confirmed_at is null`,
      [userId, encryptField(keyring, enrolment.secret, totpField(userId))],
    );
    if (stored === 0) throw alreadyEnrolled();
    return { status: 200, body: enrolment };
  }

  async function confirm(context: RouteContext<unknown, unknown, z.output<typeof confirmBody>>): Promise<Reply> {
    const { userId, sessionId } = principalOf(context);
    await db.transaction(async (tx) => {
      const pending = await row<{ secret: string; confirmed_at: string | null }>(
        tx,
        'select secret, confirmed_at from totp_factor where user_id = $1 for update',
        [userId],
      );
      if (pending === undefined) throw new DomainError('not_found', 'Ask for a secret first: POST /api/auth/mfa/totp.');
      if (pending.confirmed_at !== null) throw alreadyEnrolled();
      const secret = decryptField(keyring, pending.secret, totpField(userId));
      const verified = verifyTotp({ secret, code: context.body.code, nowMs: Date.now(), lastUsedStep: null });
      if (!verified.ok) throw new DomainError('factor_invalid', 'The code is wrong or too old.');
      await run(tx, 'update totp_factor set confirmed_at = clock_timestamp(), last_step = $2 where user_id = $1', [
        userId,
        verified.step,
      ]);
      await run(tx, 'update session set factor_at = clock_timestamp() where id = $1', [sessionId]);
      await changed(tx, context, 'mfa.enrolled', 'enrolled');
    });
    return { status: 200, body: { enrolled: true } };
  }

  async function remove(context: RouteContext): Promise<Reply> {
    const { userId, role } = principalOf(context);
    if (isStaff(role))
      throw new DomainError('forbidden', 'Staff keep an authenticator; an administrator can reset it.');
    await db.transaction(async (tx) => {
      const removed = await run(tx, 'delete from totp_factor where user_id = $1 and confirmed_at is not null', [
        userId,
      ]);
      if (removed === 0) throw new DomainError('not_found', 'No authenticator is enrolled.');
      await dropOrphanedRecoveryCodes(tx, userId);
      await changed(tx, context, 'mfa.removed', 'removed');
    });
    return { status: 204 };
  }

  async function changed(
    tx: Parameters<typeof row>[0],
    context: RouteContext,
    action: string,
    change: 'enrolled' | 'removed',
  ): Promise<void> {
    const { userId, email } = principalOf(context);
    const { ip, userAgent, requestId } = context.request;
    await audit.append(tx, {
      action,
      actor: { kind: 'user', id: userId },
      subject: { kind: 'user', id: userId },
      outcome: 'success',
      ...{ ip, userAgent, requestId },
      details: { method: 'totp' },
    });
    await outbox.enqueue(tx, { ...authenticatorLetter(change), key: `totp:${uuidV7()}`, userId, to: email });
  }

  return [
    route({
      method: 'get',
      path: '/api/auth/mfa',
      name: 'getMfa',
      summary: 'Which factors are enrolled',
      access: ANYBODY,
      responses: {
        200: {
          description: 'The factors',
          schema: enrolledFactors,
        },
      },
      handler: status,
    }),
    route({
      method: 'post',
      path: '/api/auth/mfa/totp',
      name: 'enrolTotp',
      summary: 'Begin to enrol an authenticator app',
      access: { ...ANYBODY, recentProof: true },
      responses: {
        200: {
          description: 'The secret, shown now and in the app only; confirm it with a code',
          schema: totpEnrolment,
        },
        409: { description: 'already_enrolled' },
      },
      handler: enrol,
    }),
    route({
      method: 'post',
      path: '/api/auth/mfa/totp/confirm',
      name: 'confirmTotp',
      summary: 'Finish the enrolment with a code of the app',
      access: { ...ANYBODY, recentProof: true },
      body: confirmBody,
      responses: {
        200: { description: 'Enrolled', schema: z.object({ enrolled: z.literal(true) }) },
        401: { description: 'factor_invalid' },
        404: { description: 'not_found' },
        409: { description: 'already_enrolled' },
      },
      handler: confirm,
    }),
    route({
      method: 'delete',
      path: '/api/auth/mfa/totp',
      name: 'removeTotp',
      summary: 'Remove the authenticator; needs a fresh factor',
      access: { ...ANYBODY, freshFactor: true },
      responses: {
        204: { description: 'Removed' },
        403: { description: 'step_up_needed, or forbidden for staff' },
        404: { description: 'not_found' },
      },
      handler: remove,
    }),
  ];
}

function alreadyEnrolled(): DomainError {
  return new DomainError('already_enrolled', 'An authenticator is enrolled already: remove it first.');
}
