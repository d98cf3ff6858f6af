import { MICROS_PER_SECOND, type Micros } from './time.ts';

/**
 * The lockout as a pure state machine. In production one SQL statement on the `login_subject` row does the same under
 * the row's lock; this is the readable reference and what tests hold that statement against.
 *
 * An attempt is reserved *before* the password is hashed, so any number of parallel guesses cost at most `limit`
 * hashes. It is then settled as failed or passed.
 */
export interface LockoutRules {
  /** Failures within the window that lock. */
  readonly limit: number;
  readonly window: Micros;
  readonly duration: Micros;
}

/** Five failures in 15 minutes lock for 15 minutes. */
export const DEFAULT_LOCKOUT: LockoutRules = {
  limit: 5,
  window: 900 * MICROS_PER_SECOND,
  duration: 900 * MICROS_PER_SECOND,
};

export interface LockoutAttempt {
  readonly attemptId: string;
  readonly network: string;
  /** `pending` is reserved and not settled yet; it takes a place, but never locks. */
  readonly state: 'pending' | 'failed';
  /** Reservation time while pending, time of the failure after. */
  readonly at: Micros;
}

export interface LockoutState {
  readonly attempts: readonly LockoutAttempt[];
  readonly lockedUntil: Micros | null;
}

export type ReserveOutcome =
  /** Hash the password. */
  | 'reserved'
  /** 423: recorded, not hashed, not counted, extends nothing. */
  | 'locked'
  /** As many attempts as could still lock are being checked right now: refuse without hashing. */
  | 'saturated';

export type FailureOutcome = 'failed' | 'locked_now' | 'locked';
export type SuccessOutcome = 'passed' | 'locked';

/** A subject nobody has tried yet. */
export function unlockedState(): LockoutState {
  return { attempts: [], lockedUntil: null };
}

/** True while locked; at `lockedUntil` itself the lock is over. */
export function isLocked(state: LockoutState, at: Micros): boolean {
  return state.lockedUntil !== null && at < state.lockedUntil;
}

/** Asks for the right to check one password. */
export function reserveAttempt(
  state: LockoutState,
  attempt: { readonly attemptId: string; readonly network: string; readonly at: Micros },
  rules: LockoutRules = DEFAULT_LOCKOUT,
): { readonly state: LockoutState; readonly outcome: ReserveOutcome } {
  const current = advance(state, attempt.at, rules);
  if (isLocked(current, attempt.at)) return { state: current, outcome: 'locked' };
  if (current.attempts.length >= rules.limit) return { state: current, outcome: 'saturated' };
  const attempts = [...current.attempts, { ...attempt, state: 'pending' as const }];
  return { state: { ...current, attempts }, outcome: 'reserved' };
}

/**
 * Settles a reserved attempt as a failure. The failure that completes the limit sets the lock and learns so
 * (`locked_now`): exactly one attempt per lock. An attempt reserved before an unlock is no longer there and not
 * counted, so counting starts at zero.
 */
export function recordFailure(
  state: LockoutState,
  settled: { readonly attemptId: string; readonly at: Micros },
  rules: LockoutRules = DEFAULT_LOCKOUT,
): { readonly state: LockoutState; readonly outcome: FailureOutcome } {
  const current = advance(state, settled.at, rules);
  if (isLocked(current, settled.at)) return { state: current, outcome: 'locked' };
  const attempts = current.attempts.map((attempt) =>
    attempt.attemptId === settled.attemptId ? { ...attempt, state: 'failed' as const, at: settled.at } : attempt,
  );
  const failures = attempts.filter((attempt) => attempt.state === 'failed').length;
  if (failures < rules.limit) return { state: { ...current, attempts }, outcome: 'failed' };
  return { state: { attempts: [], lockedUntil: settled.at + rules.duration }, outcome: 'locked_now' };
}

/**
 * Settles a reserved attempt as passed. It clears the failures of its own network only: a person's success must not
 * give a guesser elsewhere fresh attempts. While locked nothing passes, whatever the password.
 */
export function recordSuccess(
  state: LockoutState,
  settled: { readonly attemptId: string; readonly network: string; readonly at: Micros },
  rules: LockoutRules = DEFAULT_LOCKOUT,
): { readonly state: LockoutState; readonly outcome: SuccessOutcome } {
  const current = advance(state, settled.at, rules);
  if (isLocked(current, settled.at)) return { state: current, outcome: 'locked' };
  const attempts = current.attempts.filter(
    (attempt) =>
      attempt.attemptId !== settled.attemptId && !(attempt.state === 'failed' && attempt.network === settled.network),
  );
  return { state: { ...current, attempts }, outcome: 'passed' };
}

/** Lifts the lock, by the timer or an admin; counting starts at zero. */
export function unlock(): LockoutState {
  return unlockedState();
}

/** Drops what has left the window (t - window, t], and a lock whose time is over. */
function advance(state: LockoutState, at: Micros, rules: LockoutRules): LockoutState {
  return {
    attempts: state.attempts.filter((attempt) => attempt.at > at - rules.window),
    lockedUntil: isLocked(state, at) ? state.lockedUntil : null,
  };
}
