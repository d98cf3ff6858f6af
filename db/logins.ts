import type { DeviceComponents } from '../domain/device.ts';
import type { FactorMethod, LoginStatus } from '../domain/login.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import type { Role } from '../domain/roles.ts';
import type { GeoLookup } from '../platform/geo-port.ts';
import type { AuditLog } from './audit.ts';
import { subjectOf } from './lockouts.ts';
import { revokeSessions } from './sessions.ts';
import { oneRow, row, run, type Tx } from './sql.ts';

/** One login as its decisions read it. */
export interface LoginRecord {
  id: string;
  subject: Buffer;
  userId: string | null;
  /** Order of arrival at the database. */
  seq: string;
  status: LoginStatus;
  channel: 'cookie' | 'bearer';
  score: number | null;
  requiredKinds: number;
  methods: FactorMethod[];
  /** Factors that this login proved so far. */
  proven: FactorMethod[];
  device: DeviceComponents;
  deviceSignature: Buffer;
  deviceCookieHashes: Buffer[];
  ip: string | null;
  network: string | null;
  userAgent: string | null;
  place: GeoLookup;
  requestId: string | null;
  sessionHash: Buffer | null;
  newDeviceCookieHash: Buffer | null;
  enrolmentSecret: string | null;
  /** Microseconds since the epoch. */
  startedMicros: number;
  expiresAt: Date | null;
  /** Nobody waits for the verdict any more. */
  overdue: boolean;
  /** The time to prove a factor is over. */
  expired: boolean;
}

/** Somebody who signs in, locked: a freeze or a removal comes before this decision or after it. */
export interface LoginOwner {
  id: string;
  email: string;
  role: Role;
  timeZone: string | null;
  oneTimePassword: boolean;
  disabled: boolean;
  restricted: boolean;
  hasTotp: boolean;
}

/** Reads a login. @param lock also takes its row lock; the owner's and the subject's must be held already */
export async function readLogin(tx: Tx, loginId: string, lock: 'lock' | 'no_lock'): Promise<LoginRecord | undefined> {
  const found = await row<
    Omit<LoginRecord, 'startedMicros' | 'expiresAt'> & { startedMicros: string; expiresAt: string | null }
  >(
    tx,
    `select id, subject, user_id as "userId", seq, status, channel, score, required_kinds as "requiredKinds", methods,
            proven, device, device_signature as "deviceSignature", device_cookie_hashes as "deviceCookieHashes",
            host(ip) as ip, network, user_agent as "userAgent", place, request_id as "requestId",
            session_hash as "sessionHash", new_device_cookie_hash as "newDeviceCookieHash",
            enrolment_secret as "enrolmentSecret", (extract(epoch from started_at) * 1000000)::bigint as "startedMicros",
            expires_at as "expiresAt", verdict_deadline < clock_timestamp() as overdue,
            coalesce(expires_at < clock_timestamp(), false) as expired
       from login where id = $1 ${lock === 'lock' ? 'for update' : ''}`,
    [loginId],
  );
  if (found === undefined) return undefined;
  return {
    ...found,
    startedMicros: Number(found.startedMicros),
    expiresAt: found.expiresAt === null ? null : new Date(found.expiresAt),
  };
}

/**
 * Reads and locks the person behind a login. Not shared, since what the login finds may freeze the account in the same
 * transaction; not FOR UPDATE, since attempts that refer to the person are inserted under their subject's lock.
 */
export async function lockLoginOwner(tx: Tx, userId: string): Promise<LoginOwner> {
  const found = await oneRow<{
    email: string;
    role: Role;
    time_zone: string | null;
    password_one_time: boolean;
    disabled: boolean;
    restricted: boolean;
    has_totp: boolean;
  }>(
    tx,
    `select email, role, time_zone, password_one_time, disabled_at is not null as disabled,
            restricted_at is not null as restricted,
            exists (select from totp_factor where user_id = app_user.id and confirmed_at is not null) as has_totp
       from app_user where id = $1 for no key update`,
    [userId],
  );
  return {
    id: userId,
    email: found.email,
    role: found.role,
    timeZone: found.time_zone,
    oneTimePassword: found.password_one_time,
    disabled: found.disabled,
    restricted: found.restricted,
    hasTotp: found.has_totp,
  };
}

/** What the risk rules found, kept with the login. */
export interface LoginFinding {
  score: number;
  ruleSetVersion: string;
  reasons: readonly Reason[];
  deviceFinding: string;
}

export async function storeFinding(tx: Tx, loginId: string, finding: LoginFinding): Promise<void> {
  await run(
    tx,
    'update login set score = $2, rule_set_version = $3, reasons = $4::jsonb, device_finding = $5 where id = $1',
    [loginId, finding.score, finding.ruleSetVersion, JSON.stringify(finding.reasons), finding.deviceFinding],
  );
}

/** Ends a login in a final status. */
export async function finishLogin(tx: Tx, loginId: string, status: LoginStatus): Promise<void> {
  await run(
    tx,
    `update login set status = $2, decided_at = coalesce(decided_at, clock_timestamp()), finished_at = clock_timestamp(),
       enrolment_secret = null where id = $1`,
    [loginId, status],
  );
}

/** Leaves a login waiting for a factor. @returns until when */
export async function awaitFactor(
  tx: Tx,
  loginId: string,
  given: {
    status: 'step_up_required' | 'enrolment_required';
    requiredKinds: number;
    methods: readonly FactorMethod[];
    proven: readonly FactorMethod[];
    enrolmentSecret: string | null;
    timeoutMs: number;
  },
): Promise<Date> {
  const { expires_at } = await oneRow<{ expires_at: string }>(
    tx,
    `update login set status = $2, required_kinds = $3, methods = $4::jsonb, proven = $5::jsonb, enrolment_secret = $6,
       decided_at = coalesce(decided_at, clock_timestamp()),
       expires_at = coalesce(expires_at, clock_timestamp() + $7 * interval '1 ms')
      where id = $1 returning expires_at`,
    [
      loginId,
      given.status,
      given.requiredKinds,
      JSON.stringify(given.methods),
      JSON.stringify(given.proven),
      given.enrolmentSecret,
      given.timeoutMs,
    ],
  );
  return new Date(expires_at);
}

/**
 * Nobody will get this login's answer, so it must grant nothing: a verdict that comes later finds it abandoned, a session
 * that was opened already is ended.
 */
export async function abandonLogin(tx: Tx, audit: AuditLog, loginId: string): Promise<void> {
  const login = await readLogin(tx, loginId, 'lock');
  if (login === undefined || (login.status !== 'pending' && login.status !== 'authenticated')) return;
  await finishLogin(tx, loginId, 'abandoned');
  await audit.append(tx, {
    action: 'login.abandoned',
    actor: { kind: 'system' },
    subject: subjectOf(login),
    outcome: 'failure',
    requestId: login.requestId,
    workflowId: `login:${loginId}`,
    details: { loginId, before: login.status },
  });
  const session = await row<{ id: string }>(tx, 'select id from session where login_id = $1', [loginId]);
  if (session === undefined || login.userId === null) return;
  const actor = { kind: 'system' } as const;
  await revokeSessions(tx, audit, { userId: login.userId, only: session.id, reason: 'abandoned', actor });
}

/** The stored outcome of a factor attempt, if its workflow has applied it. */
export async function appliedFactor<Outcome>(tx: Tx, loginId: string, attemptId: string): Promise<Outcome | undefined> {
  const found = await row<{ result: { value: { outcome: Outcome } } | null }>(
    tx,
    'select result from once where key = $1',
    [`login:${loginId}:factor:${attemptId}`],
  );
  return found?.result?.value.outcome;
}
