/** Where one login stands. `pending` has no verdict yet; all but it and the two that wait for a factor are final. */
export const LOGIN_STATUSES = [
  'pending',
  'step_up_required',
  'enrolment_required',
  'authenticated',
  'invalid_credentials',
  'locked',
  'denied',
  'restricted',
  'expired',
  'abandoned',
] as const;
export type LoginStatus = (typeof LOGIN_STATUSES)[number];

export const FACTOR_METHODS = ['totp', 'email_code', 'recovery_code', 'security_questions', 'webauthn'] as const;
export type FactorMethod = (typeof FACTOR_METHODS)[number];

/**
 * What a method proves. Two methods of one kind are one proof: a recovery code stands in for the authenticator it was
 * issued with, so both together are not "two different factors".
 */
export type FactorKind = 'authenticator' | 'mailbox' | 'knowledge' | 'passkey';

const KIND_OF: Readonly<Record<FactorMethod, FactorKind>> = {
  totp: 'authenticator',
  recovery_code: 'authenticator',
  email_code: 'mailbox',
  security_questions: 'knowledge',
  webauthn: 'passkey',
};

/** Wrong answers a challenge takes before the login is denied. */
export const MAX_FACTOR_ATTEMPTS = 5;

/** The risk verdict on a login with a right password, mildest first. */
export const LOGIN_VERDICTS = ['pass', 'factor', 'two_factors', 'deny'] as const;
export type LoginVerdict = (typeof LOGIN_VERDICTS)[number];

/** True when the login waits for nothing any more. */
export function isFinalLogin(status: LoginStatus): boolean {
  return status !== 'pending' && status !== 'step_up_required' && status !== 'enrolment_required';
}

/** The kind of proof a method gives. */
export function factorKind(method: FactorMethod): FactorKind {
  return KIND_OF[method];
}

/** How many different kinds of factor a verdict asks for. */
export function requiredKinds(verdict: LoginVerdict): 0 | 1 | 2 {
  if (verdict === 'two_factors') return 2;
  return verdict === 'factor' ? 1 : 0;
}

/** Different kinds among the given methods. */
export function distinctKinds(methods: readonly FactorMethod[]): number {
  return new Set(methods.map(factorKind)).size;
}

/**
 * False when somebody owns fewer different kinds of factor than are asked for: such a login is denied with an
 * incident, since asking twice for the same proof would prove nothing more.
 */
export function canSatisfy(available: readonly FactorMethod[], required: number): boolean {
  return distinctKinds(available) >= required;
}

/** True once the proven methods cover the number of different kinds asked for. */
export function isSatisfied(proven: readonly FactorMethod[], required: number): boolean {
  return distinctKinds(proven) >= required;
}

export interface OfferInput {
  /** Every method the account could use now; `email_code` where its address is usable. */
  readonly available: readonly FactorMethod[];
  /** Methods already proven in this challenge. */
  readonly proven: readonly FactorMethod[];
  /** Security questions confirm a transaction; for a login they are no factor at all, neither first nor second. */
  readonly purpose: 'login' | 'transaction';
}

/**
 * The methods to offer next, strongest first. The first factor is the authenticator or passkey where there is one,
 * else an e-mailed code: somebody who enrolled a stronger factor must not be talked down to the mailbox. The second
 * is any kind that has not been proven yet.
 */
export function offeredMethods(input: OfferInput): FactorMethod[] {
  const order: readonly FactorMethod[] = ['webauthn', 'totp', 'recovery_code', 'email_code', 'security_questions'];
  const provenKinds = new Set(input.proven.map(factorKind));
  const open = order.filter(
    (method) =>
      input.available.includes(method) &&
      !provenKinds.has(factorKind(method)) &&
      (method !== 'security_questions' || input.purpose === 'transaction'),
  );
  if (provenKinds.size > 0) return open;

  const strong = open.filter((method) => method !== 'email_code' && method !== 'security_questions');
  const first = strong.length > 0 ? strong : open.filter((method) => method === 'email_code');
  return open.includes('security_questions') ? [...first, 'security_questions'] : first;
}
