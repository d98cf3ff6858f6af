import type { AuditEvent } from '../db/audit.ts';
import { addDevice, type DeviceMatch, findDevice, refreshDevice } from '../db/devices.ts';
import { drawEmailCode, totpField } from '../db/factors.ts';
import { openIncident } from '../db/incidents.ts';
import { subjectOf } from '../db/lockouts.ts';
import { learnPlace } from '../db/login-baseline.ts';
import { clearOwnFailures } from '../db/login-subject.ts';
import { awaitFactor, finishLogin, type LoginOwner, type LoginRecord } from '../db/logins.ts';
import { availableMethods } from '../db/owned-factors.ts';
import { row, run, type Tx } from '../db/sql.ts';
import { loginDeniedLetter } from '../domain/account-letters.ts';
import { changedClasses } from '../domain/device.ts';
import type { IncidentCause } from '../domain/incident.ts';
import { type FactorMethod, offeredMethods } from '../domain/login.ts';
import { encryptField } from '../security/field-encryption.ts';
import { newTotpEnrolment } from '../security/totp.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { FollowUps, LoginSettings, LoginVerdict } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';

/** What a step of a login came to, and what must happen because of it. */
export interface LoginStep {
  verdict: LoginVerdict;
  /** Letter with a code that must be on its way before anybody is answered. */
  codeMail: string | null;
  incidents: FollowUps['incidents'];
  restrictions?: string[];
}

/** Tokens whose hashes a session and its device are stored under. */
export interface GrantHashes {
  session: Buffer;
  device: Buffer;
  /** When a factor was proven, if one was. */
  factorAt: string | null;
}

/** The ways a login can end or go on. All run in the caller's transaction, under the login's locks. */
export function createLoginOutcomes(deps: ActivityDeps) {
  const { audit, keyring, outbox } = deps;

  function event(
    login: LoginRecord,
    action: string,
    outcome: AuditEvent['outcome'],
    details: Record<string, unknown> = {},
  ): AuditEvent {
    const subject = subjectOf(login);
    return {
      action,
      // Who fails to prove that he is somebody is nobody.
      actor:
        outcome === 'success' && login.userId !== null ? { kind: 'user', id: login.userId } : { kind: 'anonymous' },
      subject,
      outcome,
      ip: login.ip,
      userAgent: login.userAgent,
      requestId: login.requestId,
      workflowId: `login:${login.id}`,
      details: { loginId: login.id, ...details },
    };
  }

  /** Ends a login that grants nothing, with its trace. */
  async function end(
    tx: Tx,
    login: LoginRecord,
    verdict: Extract<
      LoginVerdict,
      { status: 'invalid_credentials' | 'locked' | 'denied' | 'restricted' | 'expired' | 'abandoned' }
    >,
    details: Record<string, unknown> = {},
  ): Promise<LoginStep> {
    await finishLogin(tx, login.id, verdict.status);
    const [action, outcome] = ENDING[verdict.status];
    await audit.append(tx, event(login, action, outcome, details));
    return { verdict, codeMail: null, incidents: [] };
  }

  /** Refuses a login whose password was right: the owner is told, staff get an incident. */
  async function deny(
    tx: Tx,
    login: LoginRecord,
    owner: LoginOwner,
    cause: Extract<IncidentCause, 'login_escalated' | 'factor_shortage' | 'step_up_failed'>,
    details: Record<string, unknown>,
  ): Promise<LoginStep> {
    const step = await end(tx, login, { status: 'denied', code: 'login_denied' }, { cause, ...details });
    await outbox.enqueue(tx, {
      ...loginDeniedLetter(),
      key: `login:${login.id}:denied`,
      userId: owner.id,
      to: owner.email,
    });
    const incident = await openIncident(tx, deps, {
      cause,
      subjectKind: 'user',
      subjectId: owner.id,
      userId: owner.id,
      title: DENIAL_TITLE[cause],
      details: { loginId: login.id, score: login.score, ...details },
      key: `login:${login.id}:denied`,
    });
    const { incidentId, severity } = incident;
    return { ...step, incidents: incident.opened || incident.raised ? [{ incidentId, severity }] : [] };
  }

  /** Opens the session, learns device and place, and clears the failures that the right password explains. */
  async function grant(
    tx: Tx,
    login: LoginRecord,
    owner: LoginOwner,
    settings: LoginSettings,
    hashes: GrantHashes,
  ): Promise<LoginStep> {
    const presented = {
      components: login.device,
      signature: login.deviceSignature,
      cookieHashes: login.deviceCookieHashes,
    };
    const match = await findDevice(tx, owner.id, presented, settings.deviceCookieRequired);
    const deviceId = match?.id ?? (await addDevice(tx, owner.id, { ...presented, cookieHash: hashes.device }));
    if (match !== undefined) await refreshDevice(tx, match, presented, hashes.device);
    const sessionId = uuidV7();
    const scope = owner.oneTimePassword ? 'password_change' : 'full';
    const session = await row<{ expires_at: string }>(
      tx,
      `insert into session (id, user_id, token_hash, login_id, device_id, scope, channel, factor_at, ip, user_agent,
         expires_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp() + $11 * interval '1 ms') returning expires_at`,
      [
        sessionId,
        owner.id,
        hashes.session,
        login.id,
        deviceId,
        scope,
        login.channel,
        hashes.factorAt,
        login.ip,
        login.userAgent,
        settings.sessionTtlMs,
      ],
    );
    await learnPlace(tx, login);
    await clearOwnFailures(tx, login.id, settings.lockout);
    await finishLogin(tx, login.id, 'authenticated');
    await run(tx, 'update login set device_id = $2 where id = $1', [login.id, deviceId]);
    await audit.append(
      tx,
      event(login, 'login.succeeded', 'success', { score: login.score, deviceId, factors: login.proven }),
      event(login, 'session.created', 'success', { sessionId, scope, channel: login.channel }),
      ...deviceTrail(login, match, deviceId),
    );
    return {
      verdict: {
        status: 'authenticated',
        sessionId,
        expiresAt: new Date(session?.expires_at ?? 0).toISOString(),
        passwordChangeRequired: owner.oneTimePassword,
        issuesDevice: match?.byCookie !== true,
      },
      codeMail: null,
      incidents: [],
    };
  }

  /** A device that is new to the account, or that is another one than it was. */
  function deviceTrail(login: LoginRecord, match: DeviceMatch | undefined, deviceId: string): AuditEvent[] {
    if (match === undefined) return [event(login, 'device.added', 'success', { deviceId })];
    const changed = match.byCookie ? changedClasses(match.components, login.device) : [];
    return changed.length > 0 ? [event(login, 'device.changed', 'success', { deviceId, changed })] : [];
  }

  /** Asks for a (further) factor; where that is an e-mailed code, it is drawn and its letter queued. */
  async function askForFactor(
    tx: Tx,
    login: LoginRecord,
    owner: LoginOwner,
    settings: LoginSettings,
    requiredKinds: number,
    proven: readonly FactorMethod[],
  ): Promise<LoginStep> {
    const available = await availableMethods(tx, owner.id);
    const methods = offeredMethods({ available, proven, purpose: 'login' });
    const codeMail = methods.includes('email_code')
      ? await drawEmailCode(tx, deps, {
          challenge: { kind: 'login', id: login.id, userId: owner.id },
          email: owner.email,
          ttlMs: settings.emailCodeTtlMs,
        })
      : null;
    const expiresAt = await awaitFactor(tx, login.id, {
      status: 'step_up_required',
      requiredKinds,
      methods,
      proven,
      enrolmentSecret: null,
      timeoutMs: settings.stepUpTimeoutMs,
    });
    await audit.append(
      tx,
      event(login, 'login.step_up_required', 'success', { methods, requiredKinds, proven, score: login.score }),
    );
    return {
      verdict: { status: 'step_up_required', methods, expiresAt: expiresAt.toISOString() },
      codeMail,
      incidents: [],
    };
  }

  /**
   * Has staff enrol an authenticator. The secret belongs to this login alone: one that another sign-in was shown never
   * becomes the account's.
   */
  async function askForEnrolment(
    tx: Tx,
    login: LoginRecord,
    owner: LoginOwner,
    settings: LoginSettings,
  ): Promise<LoginStep> {
    const { secret } = newTotpEnrolment({ issuer: 'Tradeguard', account: owner.email });
    const location = { table: 'login', column: 'enrolment_secret', rowId: login.id };
    const expiresAt = await awaitFactor(tx, login.id, {
      status: 'enrolment_required',
      requiredKinds: 1,
      methods: ['totp'],
      proven: [],
      enrolmentSecret: encryptField(keyring, secret, location),
      timeoutMs: settings.stepUpTimeoutMs,
    });
    await audit.append(tx, event(login, 'login.enrolment_required', 'success', { score: login.score }));
    return {
      verdict: { status: 'enrolment_required', expiresAt: expiresAt.toISOString() },
      codeMail: null,
      incidents: [],
    };
  }

  /** Stores an enrolled authenticator. @returns false when the account got one by another way meanwhile */
  async function enrol(tx: Tx, login: LoginRecord, owner: LoginOwner, secret: string, step: string): Promise<boolean> {
    const stored = await run(
      tx,
      `insert into totp_factor as f (user_id, secret, confirmed_at, last_step)
       values ($1, $2, clock_timestamp(), $3)
       on conflict (user_id) do update set secret = excluded.secret, confirmed_at = excluded.confirmed_at,
         last_step = excluded.last_step where f.confirmed_at is null`,
      [owner.id, encryptField(keyring, secret, totpField(owner.id)), step],
    );
    if (stored === 0) return false;
    await audit.append(tx, event(login, 'mfa.enrolled', 'success', { method: 'totp' }));
    return true;
  }

  return { event, end, deny, grant, askForFactor, askForEnrolment, enrol };
}

export type LoginOutcomes = ReturnType<typeof createLoginOutcomes>;

const ENDING = {
  invalid_credentials: ['login.failed', 'failure'],
  locked: ['login.locked_attempt', 'denied'],
  denied: ['login.denied', 'denied'],
  restricted: ['login.denied', 'denied'],
  expired: ['login.expired', 'failure'],
  abandoned: ['login.abandoned', 'failure'],
} as const satisfies Record<string, readonly [action: string, outcome: AuditEvent['outcome']]>;

const DENIAL_TITLE = {
  login_escalated: 'Sign-in with the right password refused: risk above 0.8',
  factor_shortage: 'Sign-in refused: the account has fewer kinds of factor than its risk asks for',
  step_up_failed: 'Sign-in with the right password refused: too many wrong factors',
} as const;
