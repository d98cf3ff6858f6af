import { drawEmailCode, failedTries, isAccountExhausted } from '../db/factors.ts';
import { lockSubject, settleAttempt } from '../db/login-subject.ts';
import { type LoginOwner, type LoginRecord, lockLoginOwner, readLogin, storeFinding } from '../db/logins.ts';
import { once } from '../db/once.ts';
import { availableMethods } from '../db/owned-factors.ts';
import { row, type Tx } from '../db/sql.ts';
import { canSatisfy, type FactorMethod, isFinalLogin, isSatisfied, requiredKinds } from '../domain/login.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import { isStaff } from '../domain/roles.ts';
import { decryptField } from '../security/field-encryption.ts';
import { uuidV7 } from '../security/uuid.ts';
import type {
  LoginFactorOutcome,
  LoginInput,
  LoginSettings,
  LoginVerdict,
  ResendOutcome,
} from '../workflows/contract.ts';
import { finalOnDataErrors } from './data-errors.ts';
import type { ActivityDeps } from './deps.ts';
import { assessRisk } from './login-assessment.ts';
import { createLoginIndicators, together } from './login-indicators.ts';
import { createLoginOutcomes, type LoginStep } from './login-outcome.ts';

/** The first decision on a login. */
export interface LoginAssessed extends LoginStep {
  /** 0 to 1; null where there was nothing to assess. */
  risk: number | null;
  /** A lockout that this attempt started. */
  lockout: { lockoutId: string; lockedUntil: string } | null;
}

/** What one factor, or one code sent again, came to. */
export interface LoginFactorApplied extends Omit<LoginStep, 'verdict'> {
  outcome: LoginFactorOutcome;
}

export interface LoginCodeResent {
  outcome: ResendOutcome;
  codeMail: string | null;
}

interface AttemptRow {
  method: FactorMethod;
  passed: boolean;
  session_hash: Buffer | null;
  device_cookie_hash: Buffer | null;
  totp_step: string | null;
  created_at: string;
  wanted: boolean;
  in_time: boolean;
}

/** The steps of a login. Each is one database transaction; a repeat gives the first answer and changes nothing. */
export function createLoginActivities(deps: ActivityDeps) {
  const { db, audit, keyring } = deps;
  const outcomes = createLoginOutcomes(deps);
  const indicators = createLoginIndicators(deps, outcomes);

  const step = <T>(loginId: string, name: string, work: (tx: Tx) => Promise<T>): Promise<T> =>
    finalOnDataErrors(() => db.transaction((tx) => once(tx, `login:${loginId}:${name}`, () => work(tx))));

  async function mustRead(tx: Tx, loginId: string, lock: 'lock' | 'no_lock'): Promise<LoginRecord> {
    const login = await readLogin(tx, loginId, lock);
    if (login === undefined) throw new Error('the login is not in the database');
    return login;
  }

  /** Locks in the one order: owner, subject, login. */
  async function lockAll(tx: Tx, loginId: string) {
    const { userId, subject } = await mustRead(tx, loginId, 'no_lock');
    if (userId === null) throw new Error('a login without an account waits for no factor');
    const owner = await lockLoginOwner(tx, userId);
    const lockedUntil = await lockSubject(tx, subject);
    return { owner, lockedUntil, login: await mustRead(tx, loginId, 'lock') };
  }

  async function decide(
    tx: Tx,
    login: LoginRecord,
    owner: LoginOwner,
    settings: LoginSettings,
  ): Promise<LoginStep & { score: number | null }> {
    if (owner.disabled) {
      const verdict = { status: 'denied', code: 'account_disabled' } as const;
      return { ...(await outcomes.end(tx, login, verdict, { cause: 'disabled' })), score: null };
    }
    if (owner.restricted) {
      return { ...(await outcomes.end(tx, login, { status: 'restricted' }, { cause: 'restricted' })), score: null };
    }
    const risk = await assessRisk(tx, deps, login, owner, settings.deviceCookieRequired);
    const { assessment, device } = risk;
    const { score, reasons, ruleSetVersion } = assessment;
    await storeFinding(tx, login.id, { score, ruleSetVersion, reasons, deviceFinding: device.kind });
    const scored = { ...login, score };
    const details = { score, ruleSetVersion, reasons: evidence(reasons) };
    const found = await indicators.ofRisk(tx, scored, owner, risk);
    const decided = await (async () => {
      if (assessment.verdict === 'deny') return outcomes.deny(tx, scored, owner, 'login_escalated', details);
      if (found.restrictions.length > 0) {
        return outcomes.end(tx, scored, { status: 'restricted' }, { cause: 'restricted', ...details });
      }
      const staff = isStaff(owner.role);
      const required = Math.max(requiredKinds(assessment.verdict), staff ? 1 : 0);
      if (required === 0) return outcomes.grant(tx, scored, owner, settings, firstHashes(login));
      const available = await availableMethods(tx, owner.id);
      if (!canSatisfy(available, required)) return outcomes.deny(tx, scored, owner, 'factor_shortage', details);
      if (staff && !owner.hasTotp) return outcomes.askForEnrolment(tx, scored, owner, settings);
      return outcomes.askForFactor(tx, scored, owner, settings, required, []);
    })();
    return { ...decided, ...together(decided, found), score };
  }

  async function apply(
    tx: Tx,
    loginId: string,
    attemptId: string,
    settings: LoginSettings,
  ): Promise<LoginStep | Extract<LoginFactorOutcome, { status: 'factor_invalid' }>> {
    const { login, owner, lockedUntil } = await lockAll(tx, loginId);
    const challenge = { kind: 'login', id: login.id, userId: owner.id } as const;
    if (isFinalLogin(login.status) || login.expiresAt === null) return closed(login);
    const attempt = await row<AttemptRow>(
      tx,
      `select method, passed, session_hash, device_cookie_hash, totp_step, created_at, created_at <= $3 as in_time,
              coalesce(wanted_until >= clock_timestamp(), false) as wanted
         from factor_attempt where id = $1 and challenge_kind = 'login' and challenge_id = $2`,
      [attemptId, loginId, login.expiresAt],
    );
    const tries = await failedTries(tx, challenge, attemptId);
    if (attempt === undefined) {
      return { status: 'factor_invalid', triesLeft: Math.max(0, settings.maxFactorTries - tries) };
    }
    if (!attempt.in_time) return outcomes.end(tx, login, { status: 'expired' });
    if (!attempt.wanted) return outcomes.end(tx, login, { status: 'abandoned' }, { method: attempt.method });
    if (owner.disabled) return outcomes.end(tx, login, { status: 'denied', code: 'account_disabled' });
    if (owner.restricted) return outcomes.end(tx, login, { status: 'restricted' });
    if (lockedUntil !== null) return outcomes.end(tx, login, { status: 'locked', lockedUntil });
    if (!attempt.passed) {
      const triesLeft = Math.max(0, settings.maxFactorTries - tries);
      const { method } = attempt;
      await audit.append(tx, outcomes.event(login, 'login.factor_failed', 'failure', { method, triesLeft }));
      if (triesLeft === 0 || (await isAccountExhausted(tx, owner.id))) {
        const denied = await outcomes.deny(tx, login, owner, 'step_up_failed', { tries });
        return { ...denied, ...together(denied, await indicators.ofFactors(tx, login, owner, tries)) };
      }
      return { status: 'factor_invalid', triesLeft };
    }
    return passFactor(tx, login, owner, settings, attempt);
  }

  async function passFactor(
    tx: Tx,
    login: LoginRecord,
    owner: LoginOwner,
    settings: LoginSettings,
    attempt: AttemptRow,
  ): Promise<LoginStep> {
    if (login.status === 'enrolment_required') {
      const location = { table: 'login', column: 'enrolment_secret', rowId: login.id };
      const secret = decryptField(keyring, login.enrolmentSecret ?? '', location);
      if (!(await outcomes.enrol(tx, login, owner, secret, attempt.totp_step ?? '0'))) {
        return outcomes.end(tx, login, { status: 'denied', code: 'login_denied' }, { cause: 'already_enrolled' });
      }
    }
    const proven = [...new Set([...login.proven, attempt.method])];
    if (!isSatisfied(proven, login.requiredKinds)) {
      return outcomes.askForFactor(tx, login, owner, settings, login.requiredKinds, proven);
    }
    if (attempt.session_hash === null || attempt.device_cookie_hash === null) {
      throw new Error('a factor that passed carries the hashes of the tokens it leads to');
    }
    return outcomes.grant(tx, { ...login, proven }, owner, settings, {
      session: attempt.session_hash,
      device: attempt.device_cookie_hash,
      factorAt: attempt.created_at,
    });
  }

  return {
    /**
     * Counts the attempt, locks with the fifth failure, and decides on a right password: session, factor, or refusal. A
     * verdict that comes after its deadline grants nothing, since nobody waits for it.
     */
    assessLogin: ({ loginId, passwordOk, settings }: LoginInput): Promise<LoginAssessed> =>
      step(loginId, 'assess', async (tx) => {
        const { userId } = await mustRead(tx, loginId, 'no_lock');
        const owner = userId === null ? null : await lockLoginOwner(tx, userId);
        const lockoutId = uuidV7();
        const settled = await settleAttempt(tx, { loginId, passwordOk, lockoutId }, settings.lockout);
        const login = await mustRead(tx, loginId, 'lock');
        const lockout =
          settled.outcome === 'locked' && settled.started ? { lockoutId, lockedUntil: settled.lockedUntil } : null;
        if (lockout !== null) {
          const started = outcomes.event(login, 'lockout.started', 'success', { ...lockout });
          await audit.append(tx, { ...started, actor: { kind: 'system' } });
        }
        const none = { risk: null, lockout };
        const lockedAgain =
          lockout === null || owner === null
            ? { restrictions: [], incidents: [] }
            : await indicators.ofLockout(tx, login, owner, lockoutId);
        if (login.status !== 'pending') return { ...closed(login), ...none };
        if (login.overdue) return { ...(await outcomes.end(tx, login, { status: 'abandoned' })), ...none };
        if (settled.outcome === 'locked') {
          const { lockedUntil } = settled;
          const ended = await outcomes.end(tx, login, { status: 'locked', lockedUntil }, { hashed: true });
          return { ...ended, ...none, ...lockedAgain };
        }
        if (settled.outcome === 'failed' || owner === null) {
          return { ...(await outcomes.end(tx, login, { status: 'invalid_credentials' })), ...none };
        }
        const { score, ...decided } = await decide(tx, login, owner, settings);
        return { ...decided, risk: score === null ? null : score / 100, lockout };
      }),

    /** Applies a factor attempt that the API checked and recorded. */
    applyLoginFactor: (loginId: string, attemptId: string, settings: LoginSettings): Promise<LoginFactorApplied> =>
      step(loginId, `factor:${attemptId}`, async (tx) => {
        const applied = await apply(tx, loginId, attemptId, settings);
        if ('status' in applied) return { outcome: applied, codeMail: null, incidents: [] };
        const { verdict, ...rest } = applied;
        return { outcome: verdict, ...rest };
      }),

    /** Draws a new code for a login that waits for one. */
    resendLoginCode: (loginId: string, resendId: string, settings: LoginSettings): Promise<LoginCodeResent> =>
      step(loginId, `resend:${resendId}`, async (tx) => {
        const { login, owner } = await lockAll(tx, loginId);
        if (login.status !== 'step_up_required' || login.expired || !login.methods.includes('email_code')) {
          return { outcome: { status: 'closed' }, codeMail: null };
        }
        const codeMail = await drawEmailCode(tx, deps, {
          challenge: { kind: 'login', id: login.id, userId: owner.id },
          email: owner.email,
          ttlMs: settings.emailCodeTtlMs,
          again: true,
        });
        if (codeMail === null) return { outcome: { status: 'too_many' }, codeMail };
        await audit.append(tx, outcomes.event(login, 'login.code_resent', 'success'));
        return { outcome: { status: 'sent' }, codeMail };
      }),

    /** Ends a login whose time to prove a factor is over, or whose workflow was cancelled. */
    endLogin: (loginId: string, why: 'expired' | 'cancelled'): Promise<LoginVerdict> =>
      step(loginId, 'end', async (tx) => {
        const login = await mustRead(tx, loginId, 'lock');
        if (isFinalLogin(login.status)) return { status: 'expired' };
        const verdict: { status: 'expired' } | { status: 'denied'; code: 'login_denied' } =
          why === 'expired' ? { status: 'expired' } : { status: 'denied', code: 'login_denied' };
        return (await outcomes.end(tx, login, verdict, { cause: why })).verdict;
      }),
  };
}

function firstHashes(login: LoginRecord) {
  if (login.sessionHash === null || login.newDeviceCookieHash === null) {
    throw new Error('a login carries the hashes of the tokens it may lead to');
  }
  return { session: login.sessionHash, device: login.newDeviceCookieHash, factorAt: null };
}

/** The answer about a login that is over: it grants nothing more, whatever comes. */
function closed({ status }: LoginRecord): LoginStep {
  const verdict: LoginVerdict =
    status === 'denied' ? { status: 'denied', code: 'login_denied' } : { status: 'expired' };
  return { verdict, codeMail: null, incidents: [] };
}

/** The rules that had something to say. */
function evidence(reasons: readonly Reason[]) {
  return reasons
    .filter(({ points, note }) => points > 0 || note !== undefined)
    .map(({ ruleId, points, value, note }) => ({ ruleId, points, value, ...(note === undefined ? {} : { note }) }));
}
