import { normaliseEmail } from '../domain/email.ts';
import type { Keyring } from '../security/keyring.ts';
import type { AuditEvent } from './audit.ts';
import { subjectOf } from './lockouts.ts';
import { iso, oneRow, row, run, type Tx } from './sql.ts';

/** Durations in milliseconds. */
export interface CountingRules {
  threshold: number;
  windowMs: number;
  durationMs: number;
}

/** Wider than the lockout, so that the lock is what a guesser meets; it bounds what is recorded while locked. */
export const LOGIN_THROTTLE = { attempts: 60, windowMs: 900_000 } as const;

/** How long a parallel attempt waits for a place. */
export const PARALLEL_WAIT_MS = 2_000;

/** Everything of an attempt that is known before its password is checked. */
export interface AttemptFacts {
  loginId: string;
  attemptId: string;
  subject: Buffer;
  userId: string | null;
  channel: 'cookie' | 'bearer';
  device: unknown;
  deviceSignature: Buffer;
  /** Of the presented device cookie, under every key generation. */
  deviceCookieHashes: Buffer[];
  ip: string | null;
  network: string | null;
  userAgent: string | null;
  place: unknown;
  requestId: string;
  /** Of the session token that is handed out if this login passes at once. */
  sessionHash: Buffer;
  newDeviceCookieHash: Buffer;
}

export type Reservation =
  /** Check the password now. */
  | { outcome: 'reserved' }
  /** Refuse with 423. */
  | { outcome: 'locked'; lockedUntil: string }
  /** As many attempts as could lock are under way: ask again in a moment. */
  | { outcome: 'saturated' }
  | { outcome: 'throttled'; retryAt: string };

/** Names an e-mail address without telling it, whether or not there is an account. */
export function loginSubject(keyring: Keyring, email: string): Buffer {
  return keyring.hmac('login-subject', normaliseEmail(email));
}

/**
 * Reserves the right to check one password and records the attempt, in one statement. Any number of parallel calls, in
 * any number of processes, get `threshold` reservations.
 *
 * @param pendingMs how long an attempt that nobody settles keeps its place, and how long a success keeps the one that it
 *   overlapped with wrong passwords in: VERDICT_TIMEOUT
 */
export async function reserveAttempt(
  tx: Tx,
  facts: AttemptFacts,
  rules: CountingRules,
  pendingMs: number,
): Promise<Reservation> {
  const found = await oneRow<{ outcome: Reservation['outcome']; retry_at: string | null }>(
    tx,
    `with reservation as materialized (
       select outcome, retry_at from login_reserve($3, $16, $17 * interval '1 ms', $18 * interval '1 ms',
         $19 * interval '1 ms', $20, $21 * interval '1 ms')),
     attempt as (
       insert into login (id, attempt_id, subject, user_id, status, channel, device, device_signature,
         device_cookie_hashes, ip, network, user_agent, place, request_id, session_hash, new_device_cookie_hash,
         verdict_deadline)
       select $1::uuid, $2::uuid, $3, $4::uuid, 'pending', $5, $6::jsonb, $7::bytea, $8::bytea[], $9::inet, $10, $11,
         $12::jsonb, $13, $14::bytea, $15::bytea,
         clock_timestamp() + $18 * interval '1 ms'
       from reservation where outcome = 'reserved')
     select outcome, retry_at from reservation`,
    [
      ...columnsOf(facts),
      rules.threshold,
      rules.windowMs,
      pendingMs,
      pendingMs,
      LOGIN_THROTTLE.attempts,
      LOGIN_THROTTLE.windowMs,
    ],
  );
  if (found.outcome === 'locked') return { outcome: 'locked', lockedUntil: iso(found.retry_at ?? '') };
  if (found.outcome === 'throttled') return { outcome: 'throttled', retryAt: iso(found.retry_at ?? '') };
  return { outcome: found.outcome };
}

/** Records an attempt that met the lock: not hashed, not counted, extends nothing. */
export async function recordLockedAttempt(tx: Tx, facts: AttemptFacts): Promise<void> {
  await run(
    tx,
    `insert into login (id, attempt_id, subject, user_id, status, channel, device, device_signature,
       device_cookie_hashes, ip, network, user_agent, place, request_id, session_hash, new_device_cookie_hash,
       verdict_deadline, decided_at, finished_at)
     values ($1, $2, $3, $4, 'locked', $5, $6::jsonb, $7, $8::bytea[], $9, $10, $11, $12::jsonb, $13, $14, $15,
       clock_timestamp(), clock_timestamp(), clock_timestamp())`,
    columnsOf({ ...facts, sessionHash: Buffer.alloc(0), newDeviceCookieHash: Buffer.alloc(0) }),
  );
}

/** What the audit log says of it. */
export function lockedAttemptEvent(facts: AttemptFacts): AuditEvent {
  return {
    action: 'login.locked_attempt',
    actor: { kind: 'anonymous' },
    subject: subjectOf(facts),
    outcome: 'denied',
    ip: facts.ip,
    userAgent: facts.userAgent,
    requestId: facts.requestId,
    details: { loginId: facts.loginId, hashed: false },
  };
}

export type Settlement =
  | { outcome: 'passed' | 'failed' }
  /** `started`: this failure completed the threshold and locked. */
  | { outcome: 'locked'; lockedUntil: string; started: boolean };

/**
 * Counts a checked password. The caller's transaction decides on the login afterwards, under the subject's lock.
 *
 * @param lockoutId id of the lockout, if this failure starts one
 */
export async function settleAttempt(
  tx: Tx,
  attempt: { loginId: string; passwordOk: boolean; lockoutId: string },
  rules: CountingRules,
): Promise<Settlement> {
  const found = await oneRow<{ outcome: 'passed' | 'failed' | 'locked' | 'locked_now'; locked_until: string | null }>(
    tx,
    `select outcome, locked_until from login_settle($1, $2, $3, $4 * interval '1 ms', $5 * interval '1 ms', $6)`,
    [attempt.loginId, attempt.passwordOk, rules.threshold, rules.windowMs, rules.durationMs, attempt.lockoutId],
  );
  if (found.outcome === 'passed' || found.outcome === 'failed') return { outcome: found.outcome };
  return {
    outcome: 'locked',
    lockedUntil: iso(found.locked_until ?? ''),
    started: found.outcome === 'locked_now',
  };
}

/** Until when a subject is locked, or null. Takes the subject's lock: what follows in the transaction holds. */
export async function lockSubject(tx: Tx, subject: Buffer): Promise<string | null> {
  const found = await row<{ locked_until: string | null }>(
    tx,
    `select case when locked_until > clock_timestamp() then locked_until end as locked_until
       from login_subject where subject = $1 for update`,
    [subject],
  );
  return found?.locked_until ? iso(found.locked_until) : null;
}

/**
 * A login passed: failures from its own network that were known when it began count no more. A guesser elsewhere, or
 * one whose guesses ran in parallel with the right password, gets no fresh attempts from it.
 */
export async function clearOwnFailures(tx: Tx, loginId: string, rules: CountingRules): Promise<void> {
  await run(
    tx,
    `update login set cleared = true from login as passed
      where passed.id = $1 and login.subject = passed.subject and login.network is not distinct from passed.network
        and not login.password_ok and not login.cleared and login.settled_at < passed.started_at
        and login.started_at > clock_timestamp() - 2 * $2 * interval '1 ms'`,
    [loginId, rules.windowMs],
  );
}

/** Parameters $1 to $15, in the order of the columns above. */
function columnsOf(facts: AttemptFacts): unknown[] {
  return [
    facts.loginId,
    facts.attemptId,
    facts.subject,
    facts.userId,
    facts.channel,
    JSON.stringify(facts.device),
    facts.deviceSignature,
    facts.deviceCookieHashes,
    facts.ip,
    facts.network,
    facts.userAgent,
    JSON.stringify(facts.place),
    facts.requestId,
    facts.sessionHash,
    facts.newDeviceCookieHash,
  ];
}
