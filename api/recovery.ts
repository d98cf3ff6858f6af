import { z } from 'zod';
import { totpField } from '../db/factors.ts';
import { lockForFreeze } from '../db/restrictions.ts';
import { row, run, type Tx } from '../db/sql.ts';
import { authenticatorLetter } from '../domain/account-letters.ts';
import { DomainError } from '../domain/errors.ts';
import { MAX_FACTOR_ATTEMPTS } from '../domain/login.ts';
import { decryptField, encryptField } from '../security/field-encryption.ts';
import { tokenHashes } from '../security/tokens.ts';
import { newTotpEnrolment, verifyTotp } from '../security/totp.ts';
import type { ApiDeps } from './deps.ts';
import { sixDigits, tokenInput } from './input.ts';
import { totpEnrolment } from './login-answer.ts';
import type { Reply, Route, RouteContext } from './route.ts';
import { route } from './route.ts';

const tokenBody = z.strictObject({ token: tokenInput });
const confirmBody = z.strictObject({ token: tokenInput, code: sixDigits });

interface Enrolment {
  id: string;
  restriction_id: string;
  user_id: string;
  email: string;
  secret: string | null;
}

/** What the owner of a restricted account does with the link that a step of the recovery mailed them. */
export function createRecoveryRoutes({ db, keyring, audit, outbox }: ApiDeps): Route[] {
  const secretField = (stepId: string) => ({ table: 'recovery_step', column: 'secret', rowId: stepId });

  /** The step that a link belongs to, under the person's lock. @throws DomainError `token_invalid` */
  async function enrolmentOf(tx: Tx, token: string): Promise<Enrolment> {
    const usable = `select s.id, s.restriction_id, u.id as user_id, u.email, s.secret
       from recovery_step s join restriction r on r.id = s.restriction_id join app_user u on u.id = r.user_id
      where s.token_hash = any($1::bytea[]) and s.done_at is null and s.expires_at > clock_timestamp()
        and s.tries < $2 and r.lifted_at is null`;
    const params = [tokenHashes(keyring, 'reset-token', token), MAX_FACTOR_ATTEMPTS];
    const known = await row<Enrolment>(tx, usable, params);
    if (known === undefined) throw tokenInvalid();
    await lockForFreeze(tx, known.user_id);
    const found = await row<Enrolment>(tx, usable, params);
    if (found === undefined) throw tokenInvalid();
    // A later letter replaces an earlier one.
    const later = await row(
      tx,
      `select 1 from recovery_step where restriction_id = $1 and step = 'factors_enrolled' and begun_at is not null
         and (done_at is not null or requested_at > (select requested_at from recovery_step where id = $2))`,
      [found.restriction_id, found.id],
    );
    if (later !== undefined) throw tokenInvalid();
    return found;
  }

  async function show({ body }: RouteContext<unknown, unknown, z.output<typeof tokenBody>>): Promise<Reply> {
    const enrolment = await db.transaction(async (tx) => {
      const step = await enrolmentOf(tx, body.token);
      // Asked again, it is another secret: whoever was shown the first one before has nothing.
      const made = newTotpEnrolment({ issuer: 'Tradeguard', account: step.email });
      await run(tx, 'update recovery_step set secret = $2 where id = $1', [
        step.id,
        encryptField(keyring, made.secret, secretField(step.id)),
      ]);
      return made;
    });
    return { status: 200, body: enrolment };
  }

  async function confirm(context: RouteContext<unknown, unknown, z.output<typeof confirmBody>>): Promise<Reply> {
    const { token, code } = context.body;
    // A refusal is returned, not thrown: the try must stay counted.
    const triesLeft = await db.transaction(async (tx) => {
      const step = await enrolmentOf(tx, token);
      if (step.secret === null) throw new DomainError('not_awaiting_factor', 'Ask for the secret first.');
      const secret = decryptField(keyring, step.secret, secretField(step.id));
      const verified = verifyTotp({ secret, code, nowMs: Date.now(), lastUsedStep: null });
      if (!verified.ok) {
        const counted = await row<{ tries: number }>(
          tx,
          'update recovery_step set tries = tries + 1 where id = $1 returning tries',
          [step.id],
        );
        return MAX_FACTOR_ATTEMPTS - (counted?.tries ?? MAX_FACTOR_ATTEMPTS);
      }
      await enrol(tx, step, secret, verified.step, context);
      return null;
    });
    if (triesLeft !== null) {
      throw new DomainError('factor_invalid', 'The code is wrong or too old.', { triesLeft });
    }
    return { status: 204 };
  }

  async function enrol(
    tx: Tx,
    step: Enrolment,
    secret: string,
    totpStep: number,
    { request: { ip, userAgent, requestId } }: RouteContext,
  ): Promise<void> {
    const { user_id: userId } = step;
    await run(
      tx,
      `insert into totp_factor as f (user_id, secret, confirmed_at, last_step) values ($1, $2, clock_timestamp(), $3)
       on conflict (user_id) do update set secret = excluded.secret, confirmed_at = excluded.confirmed_at,
         last_step = excluded.last_step`,
      [userId, encryptField(keyring, secret, totpField(userId)), totpStep],
    );
    await run(tx, 'update recovery_step set done_at = clock_timestamp(), secret = null where id = $1', [step.id]);
    const by = {
      actor: { kind: 'user', id: userId },
      subject: { kind: 'user', id: userId },
      outcome: 'success',
      ...{ ip, userAgent, requestId },
    } as const;
    const details = { restrictionId: step.restriction_id, method: 'totp' };
    await audit.append(
      tx,
      { action: 'mfa.enrolled', ...by, details },
      { action: 'recovery.factors_enrolled', ...by, details },
    );
    await outbox.enqueue(tx, {
      ...authenticatorLetter('enrolled'),
      key: `recovery:${step.id}:enrolled`,
      userId,
      to: step.email,
    });
  }

  return [
    route({
      method: 'post',
      path: '/api/auth/recovery/totp',
      name: 'startRecoveryTotp',
      summary: 'Recovery: the secret of a new authenticator, with the token of the letter',
      access: { kind: 'public' },
      body: tokenBody,
      responses: {
        200: {
          description: 'For the authenticator app; confirm it with a code',
          schema: totpEnrolment,
        },
        400: { description: 'token_invalid' },
      },
      handler: show,
    }),
    route({
      method: 'post',
      path: '/api/auth/recovery/totp/confirm',
      name: 'confirmRecoveryTotp',
      summary: 'Recovery: prove the new authenticator',
      access: { kind: 'public' },
      body: confirmBody,
      responses: {
        204: { description: 'Enrolled; an administrator restores the account now' },
        400: { description: 'token_invalid' },
        401: { description: 'factor_invalid, with triesLeft; the fifth wrong code ends the link' },
        409: { description: 'not_awaiting_factor' },
      },
      handler: confirm,
    }),
  ];
}

function tokenInvalid(): DomainError {
  return new DomainError('token_invalid', 'The link was used, is too old, or is none of ours.');
}
