/**
 * What went wrong, independent of transport. `api/problem.ts` is the one place that turns a meaning into an HTTP status.
 */
export type ErrorMeaning =
  | 'bad_input'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'expired'
  | 'unprocessable'
  | 'locked'
  | 'rate_limited'
  | 'upgrade_required'
  | 'unavailable';

/**
 * The catalogue of stable error codes. Clients branch on the code, so a code is never renamed and never changes its
 * meaning; new refusals get a new line here.
 */
export const ERROR_MEANINGS = {
  // The request itself
  validation_failed: 'bad_input',
  malformed_body: 'bad_input',
  amount_invalid: 'bad_input',
  quantity_invalid: 'bad_input',
  idempotency_key_required: 'bad_input',
  invalid_cursor: 'bad_input',
  token_invalid: 'bad_input',
  webhook_invalid: 'bad_input',
  // Who is asking
  session_required: 'unauthenticated',
  invalid_credentials: 'unauthenticated',
  factor_invalid: 'unauthenticated',
  signature_invalid: 'unauthenticated',
  // What they may do
  forbidden: 'forbidden',
  csrf_invalid: 'forbidden',
  origin_refused: 'forbidden',
  login_denied: 'forbidden',
  account_restricted: 'forbidden',
  account_disabled: 'forbidden',
  password_change_required: 'forbidden',
  step_up_needed: 'forbidden',
  own_transaction: 'forbidden',
  own_account: 'forbidden',
  not_a_reviewer: 'forbidden',
  decided_before: 'forbidden',
  second_person_required: 'forbidden',
  deposits_off: 'forbidden',
  // What is (not) there
  not_found: 'not_found',
  login_expired: 'expired',
  factor_expired: 'expired',
  appeal_expired: 'expired',
  erased: 'expired',
  // What contradicts the present state
  idempotency_key_reused: 'conflict',
  illegal_transition: 'conflict',
  already_decided: 'conflict',
  already_voted: 'conflict',
  already_claimed: 'conflict',
  claimed_by_other: 'conflict',
  not_claimed: 'conflict',
  already_appealed: 'conflict',
  not_appealable: 'conflict',
  terms_changed: 'conflict',
  review_expired: 'conflict',
  not_locked: 'conflict',
  not_cancellable: 'conflict',
  not_awaiting_factor: 'conflict',
  already_enrolled: 'conflict',
  factor_required: 'conflict',
  not_offered: 'conflict',
  no_payment: 'conflict',
  already_exists: 'conflict',
  last_admin: 'conflict',
  account_in_use: 'conflict',
  already_restricted: 'conflict',
  not_restricted: 'conflict',
  recovery_out_of_order: 'conflict',
  too_many_shadows: 'conflict',
  report_required: 'conflict',
  no_proposal: 'conflict',
  live_changed: 'conflict',
  backup_running: 'conflict',
  too_many_keys: 'conflict',
  rotation_running: 'conflict',
  field_tampered: 'conflict',
  log_damaged: 'conflict',
  account_locked: 'locked',
  // What is well-formed and refused by a rule of the business
  amount_mismatch: 'unprocessable',
  amount_too_small: 'unprocessable',
  amount_too_large: 'unprocessable',
  insufficient_funds: 'unprocessable',
  instrument_unknown: 'unprocessable',
  price_stale: 'unprocessable',
  price_limit: 'unprocessable',
  currency_unsupported: 'unprocessable',
  counterparty_unknown: 'unprocessable',
  step_up_failed: 'unprocessable',
  step_up_expired: 'unprocessable',
  review_rejected: 'unprocessable',
  cancelled: 'unprocessable',
  payment_failed: 'unprocessable',
  payment_expired: 'unprocessable',
  payment_mismatch: 'unprocessable',
  amount_not_payable: 'unprocessable',
  rate_unavailable: 'unprocessable',
  rate_moved: 'unprocessable',
  limit_exceeded: 'unprocessable',
  range_beyond_log: 'unprocessable',
  password_breached: 'unprocessable',
  // What may work later
  rate_limited: 'rate_limited',
  tls_required: 'upgrade_required',
  verdict_pending: 'unavailable',
  tree_behind: 'unavailable',
  database_unavailable: 'unavailable',
  keys_unavailable: 'unavailable',
  temporal_unavailable: 'unavailable',
  mail_unavailable: 'unavailable',
  payments_unavailable: 'unavailable',
  backups_unavailable: 'unavailable',
} as const satisfies Record<string, ErrorMeaning>;

export type ErrorCode = keyof typeof ERROR_MEANINGS;

/**
 * A refusal with a stable code. `detail` is shown to the caller, so it names no secret, no other account and no
 * library; `extra` becomes additional members of the problem document (RFC 9457 section 3.2).
 */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ErrorCode;
  readonly meaning: ErrorMeaning;
  readonly detail: string;
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, detail: string, extra: Readonly<Record<string, unknown>> = {}) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.meaning = ERROR_MEANINGS[code];
    this.detail = detail;
    this.extra = extra;
  }
}

/** True for a refusal of ours, also when it crossed a bundle boundary and `instanceof` no longer holds. */
export function isDomainError(error: unknown): error is DomainError {
  return (
    error instanceof DomainError ||
    (error instanceof Error && error.name === 'DomainError' && 'code' in error && 'meaning' in error)
  );
}
