import { accountRestoredLetter, recoveryFactorLetter, recoveryPasswordLetter } from '../domain/account-letters.ts';
import type { Severity } from '../domain/incident.ts';
import { assertNextStep, RECOVERY_STEPS, type RecoveryStep } from '../domain/restriction.ts';
import type { Keyring } from '../security/keyring.ts';
import { hashToken, newOpaqueToken } from '../security/tokens.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { AuditLog, RequestTrace } from './audit.ts';
import { loginSubject } from './login-subject.ts';
import { removeAllFactors } from './owned-factors.ts';
import { liftRestriction, lockForFreeze, type Restriction, type RestrictionDeps } from './restrictions.ts';
import { oneRow, row, rows, run, type Tx } from './sql.ts';

/** One request for a step of the recovery, by an administrator. */
export interface RecoveryRequest {
  id: string;
  step: RecoveryStep;
  requestedBy: string;
  caseReference: string | null;
  requestedAt: string;
  /** When the workflow carried it out. */
  begunAt: string | null;
  /** When it was done; for what the account's owner has to do, when they did. */
  doneAt: string | null;
}

export interface RecoveryDeps extends RestrictionDeps {
  keyring: Keyring;
  /** Where links in letters point to. */
  publicOrigin: string;
}

const COLUMNS = `id, step, requested_by as "requestedBy", case_reference as "caseReference",
  requested_at as "requestedAt", begun_at as "begunAt", done_at as "doneAt"`;

/** Everything that was asked for to recover an account, oldest first. */
export function recoveryRequests(tx: Tx, restrictionId: string): Promise<RecoveryRequest[]> {
  return rows<RecoveryRequest>(
    tx,
    `select ${COLUMNS} from recovery_step where restriction_id = $1 order by requested_at, id`,
    [restrictionId],
  );
}

/** Steps that are done, in their order. */
export function stepsDone(requests: readonly RecoveryRequest[]): RecoveryStep[] {
  return RECOVERY_STEPS.filter((step) => requests.some((one) => one.step === step && one.doneAt !== null));
}

/**
 * Records an administrator's wish for a step; the restriction's workflow carries it out. The same step asked for twice at
 * the same time is one request.
 *
 * @returns the request's id
 * @throws DomainError `recovery_out_of_order`
 */
export async function requestRecoveryStep(
  tx: Tx,
  { audit }: { audit: AuditLog },
  restriction: Restriction,
  given: { step: RecoveryStep; caseReference: string | null; by: string } & RequestTrace,
): Promise<string> {
  // Requests, and what the workflow makes of them, come one after the other.
  await lockForFreeze(tx, restriction.userId);
  const requests = await recoveryRequests(tx, restriction.id);
  assertNextStep(stepsDone(requests), given.step);
  const waiting = requests.find(({ begunAt }) => begunAt === null);
  if (waiting !== undefined) return waiting.id;
  const id = uuidV7();
  await run(
    tx,
    `insert into recovery_step (id, restriction_id, step, requested_by, case_reference, request_id)
     values ($1, $2, $3, $4, $5, $6)`,
    [id, restriction.id, given.step, given.by, given.caseReference, given.requestId],
  );
  await audit.append(tx, {
    action: 'recovery.step_requested',
    actor: { kind: 'user', id: given.by },
    subject: { kind: 'user', id: restriction.userId },
    outcome: 'success',
    ip: given.ip,
    userAgent: given.userAgent,
    requestId: given.requestId,
    details: { restrictionId: restriction.id, step: given.step, caseReference: given.caseReference },
  });
  return id;
}

/** The request that waits to be carried out, if one does. */
export function waitingRequest(tx: Tx, restrictionId: string): Promise<{ id: string } | undefined> {
  return row(tx, 'select id from recovery_step where restriction_id = $1 and begun_at is null', [restrictionId]);
}

/** What became of a request, for whoever asks by its id. */
export async function recoveryRequest(tx: Tx, id: string): Promise<RecoveryRequest> {
  return oneRow<RecoveryRequest>(tx, `select ${COLUMNS} from recovery_step where id = $1`, [id]);
}

/**
 * Carries a request out, in the caller's transaction: records that the identity was verified, mails the link for a new
 * password, takes every factor away and mails the link for a new one, or restores the account. Links are drawn here, and
 * only their hashes are kept.
 *
 * @returns the incident that was resolved with it
 */
export async function carryOut(
  tx: Tx,
  deps: RecoveryDeps,
  restriction: Restriction,
  requestId: string,
  linkTtlMs: number,
): Promise<{ lifted: boolean; step: RecoveryStep; incidents: { incidentId: string; severity: Severity }[] }> {
  const owner = await lockForFreeze(tx, restriction.userId);
  if (owner === undefined) throw new Error('a restriction is about somebody who exists');
  const request = await recoveryRequest(tx, requestId);
  const { step, requestedBy } = request;
  if (restriction.liftedAt !== null || request.begunAt !== null) {
    return { lifted: restriction.liftedAt !== null, step, incidents: [] };
  }
  const isDone = step === 'identity_verified' || step === 'restored';
  await run(
    tx,
    `update recovery_step set begun_at = clock_timestamp(), done_at = case when $2 then clock_timestamp() end where id = $1`,
    [requestId, isDone],
  );
  const trace = (action: string, details: Record<string, unknown> = {}) =>
    deps.audit.append(tx, {
      action,
      actor: { kind: 'user', id: requestedBy },
      subject: { kind: 'user', id: owner.id },
      outcome: 'success',
      workflowId: `restriction:${restriction.id}`,
      details: { restrictionId: restriction.id, ...details },
    });
  const to = { userId: owner.id, to: owner.email };
  switch (step) {
    case 'identity_verified':
      await trace('recovery.identity_verified', { caseReference: request.caseReference });
      return { lifted: false, step, incidents: [] };
    case 'password_reset': {
      const token = newOpaqueToken();
      const id = uuidV7();
      await run(
        tx,
        `insert into password_reset (id, subject, user_id, token_hash, expires_at)
         values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 ms')`,
        [
          id,
          loginSubject(deps.keyring, owner.email),
          owner.id,
          hashToken(deps.keyring, 'reset-token', token),
          linkTtlMs,
        ],
      );
      await run(tx, 'update recovery_step set password_reset_id = $2 where id = $1', [requestId, id]);
      const letter = recoveryPasswordLetter(deps.publicOrigin, token, linkTtlMs);
      await deps.outbox.enqueue(tx, { ...letter, ...to, key: `recovery:${requestId}` });
      await trace('recovery.password_link_sent');
      return { lifted: false, step, incidents: [] };
    }
    case 'factors_enrolled': {
      const token = newOpaqueToken();
      await run(
        tx,
        `update recovery_step set token_hash = $2, expires_at = clock_timestamp() + $3 * interval '1 ms' where id = $1`,
        [requestId, hashToken(deps.keyring, 'reset-token', token), linkTtlMs],
      );
      const removed = await removeAllFactors(tx, owner.id);
      const letter = recoveryFactorLetter(deps.publicOrigin, token, linkTtlMs);
      await deps.outbox.enqueue(tx, { ...letter, ...to, key: `recovery:${requestId}` });
      await trace('recovery.factors_removed', { removed });
      return { lifted: false, step, incidents: [] };
    }
    case 'restored': {
      const incident = await liftRestriction(tx, deps, { restriction, liftedBy: requestedBy });
      await deps.outbox.enqueue(tx, { ...accountRestoredLetter(), ...to, key: `recovery:${requestId}` });
      await trace('account.restored');
      return { lifted: true, step, incidents: incident === null ? [] : [incident] };
    }
  }
}

/**
 * A password was set with a link: where a step of a recovery sent it, that step is done.
 * @param tokenHashes of the link's token, under every key generation
 */
export async function notePasswordReset(
  tx: Tx,
  { audit }: { audit: AuditLog },
  given: { userId: string; tokenHashes: Buffer[] } & RequestTrace,
): Promise<void> {
  const done = await row<{ restriction_id: string }>(
    tx,
    `update recovery_step s set done_at = clock_timestamp() from password_reset p
      where p.id = s.password_reset_id and p.token_hash = any($1::bytea[]) and s.done_at is null
      returning s.restriction_id`,
    [given.tokenHashes],
  );
  if (done === undefined) return;
  await audit.append(tx, {
    action: 'recovery.password_reset',
    actor: { kind: 'user', id: given.userId },
    subject: { kind: 'user', id: given.userId },
    outcome: 'success',
    ip: given.ip,
    userAgent: given.userAgent,
    requestId: given.requestId,
    details: { restrictionId: done.restriction_id },
  });
}
