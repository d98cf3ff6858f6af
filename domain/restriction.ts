import type { DeviceFinding } from './device.ts';
import { DomainError } from './errors.ts';

/**
 * Signs that somebody else acts for an account. Each is a finding of its own: who meets two different ones within a day
 * is frozen. None but `lockout_repeated` comes about without the password or an open session, so an outsider who only
 * guesses cannot freeze anybody.
 */
export const INDICATOR_KINDS = [
  /** The device cannot be what it says, or its cookie came from another kind of machine. */
  'impossible_device_change',
  /** The cookie of a known device came with three or more of its component classes changed. */
  'device_replaced',
  /** Faster than anybody travels, from a network that hides nothing. */
  'impossible_travel',
  /** A right password whose login was denied for its risk, where nothing above explains it. */
  'login_escalated',
  /** A right password, or an open session, with too many wrong factors. */
  'factor_exhausted',
  /** Locked for the second time within a day. */
  'lockout_repeated',
  /** A transaction of high risk, or with too many wrong factors, that its owner did not confirm. */
  'step_up_failed',
] as const;
export type IndicatorKind = (typeof INDICATOR_KINDS)[number];

/** Hours within which two different indicators freeze an account. */
export const INDICATOR_WINDOW_HOURS = 24;
/** Different kinds that freeze. */
export const KINDS_THAT_FREEZE = 2;
/** Lockouts of one account within {@link INDICATOR_WINDOW_HOURS} that are an indicator. */
export const LOCKOUTS_THAT_INDICATE = 2;
/** Component classes that one device does not change all at once. */
const CLASSES_THAT_REPLACE = 3;

/** True when the different kinds found within the window freeze the account. */
export function freezes(kinds: readonly IndicatorKind[]): boolean {
  return new Set(kinds).size >= KINDS_THAT_FREEZE;
}

/** What a login's device says by itself. One cookie on another machine is one finding, however it shows. */
export function deviceIndicator(finding: DeviceFinding): IndicatorKind | null {
  if (finding.impossible.length > 0) return 'impossible_device_change';
  return finding.changed.length >= CLASSES_THAT_REPLACE ? 'device_replaced' : null;
}

/**
 * The indicators of a login whose password was right. That it was denied is a consequence of what was found, so it counts
 * only where nothing finer explains it: one event is not its own second witness.
 */
export function loginIndicators(given: {
  device: DeviceFinding;
  impossibleTravel: boolean;
  denied: boolean;
}): IndicatorKind[] {
  const device = deviceIndicator(given.device);
  const found: IndicatorKind[] = [
    ...(device === null ? [] : [device]),
    ...(given.impossibleTravel ? (['impossible_travel'] as const) : []),
  ];
  return found.length === 0 && given.denied ? ['login_escalated'] : found;
}

/** How long a link of the recovery works. */
export const RECOVERY_LINK_TTL_MS = 3_600_000;

/** The way back, in this order and no other. */
export const RECOVERY_STEPS = ['identity_verified', 'password_reset', 'factors_enrolled', 'restored'] as const;
export type RecoveryStep = (typeof RECOVERY_STEPS)[number];

/**
 * Refuses a step that is not the next one. The last one that was begun may be asked for again while it is not done: its
 * link may have got lost or old.
 *
 * @throws DomainError `recovery_out_of_order`
 */
export function assertNextStep(done: readonly RecoveryStep[], asked: RecoveryStep): void {
  const next = nextStep(done);
  if (next === asked) return;
  throw new DomainError(
    'recovery_out_of_order',
    next === null ? 'Every step is done.' : `The next step is ${next}, and ${asked} is not.`,
    { next },
  );
}

/** The step that comes next, or null when all are done. */
export function nextStep(done: readonly RecoveryStep[]): RecoveryStep | null {
  return RECOVERY_STEPS.find((step) => !done.includes(step)) ?? null;
}
