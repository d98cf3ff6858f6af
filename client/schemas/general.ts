/**
 * The API's objects by name: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * `npx vitest run --project servers test/client/operations.test.ts -u` writes it anew.
 */

/** A code never changes its meaning; there may be new ones. */
export type ErrorCode = "validation_failed" | "malformed_body" | "amount_invalid" | "quantity_invalid" | "idempotency_key_required" | "invalid_cursor" | "token_invalid" | "webhook_invalid" | "session_required" | "invalid_credentials" | "factor_invalid" | "signature_invalid" | "forbidden" | "csrf_invalid" | "origin_refused" | "login_denied" | "account_restricted" | "account_disabled" | "password_change_required" | "step_up_needed" | "own_transaction" | "own_account" | "not_a_reviewer" | "decided_before" | "second_person_required" | "deposits_off" | "not_found" | "login_expired" | "factor_expired" | "appeal_expired" | "erased" | "idempotency_key_reused" | "illegal_transition" | "already_decided" | "already_voted" | "already_claimed" | "claimed_by_other" | "not_claimed" | "already_appealed" | "not_appealable" | "terms_changed" | "review_expired" | "not_locked" | "not_cancellable" | "not_awaiting_factor" | "already_enrolled" | "factor_required" | "not_offered" | "no_payment" | "already_exists" | "last_admin" | "account_in_use" | "already_restricted" | "not_restricted" | "recovery_out_of_order" | "too_many_shadows" | "report_required" | "no_proposal" | "live_changed" | "backup_running" | "too_many_keys" | "rotation_running" | "field_tampered" | "log_damaged" | "account_locked" | "amount_mismatch" | "amount_too_small" | "amount_too_large" | "insufficient_funds" | "instrument_unknown" | "price_stale" | "price_limit" | "currency_unsupported" | "counterparty_unknown" | "step_up_failed" | "step_up_expired" | "review_rejected" | "cancelled" | "payment_failed" | "payment_expired" | "payment_mismatch" | "amount_not_payable" | "rate_unavailable" | "rate_moved" | "limit_exceeded" | "range_beyond_log" | "password_breached" | "rate_limited" | "tls_required" | "verdict_pending" | "tree_behind" | "database_unavailable" | "keys_unavailable" | "temporal_unavailable" | "mail_unavailable" | "payments_unavailable" | "backups_unavailable" | "internal_error";

export interface ExceededLimit { group: LimitGroup; window: LimitWindow; limit: string; left: string; currency: string }

export type Factor = { method: "totp" | "email_code"; code: string } | { method: "recovery_code"; code: string } | { method: "security_questions"; answers: { questionId: string; answer: string }[] } | { method: "webauthn"; credential: PasskeyAssertion };

export type FactorMethod = "totp" | "email_code" | "recovery_code" | "security_questions" | "webauthn";

export interface InvalidMember {
  in: "body" | "query" | "path";
  pointer: string;
  detail: string;
  position?: number | undefined;
}

export type LabelSource = "review" | "customer" | "chargeback" | "import" | "staff";

export type LabelValue = "confirmed_fraud" | "false_positive" | "inconclusive";

export type LimitGroup = "money_out" | "deposit" | "trade";

export type LimitWindow = "per_transaction" | "rolling_24h" | "rolling_30d";

export interface LoginAttempt {
  loginId: string;
  workflowId: string;
  userId: string | null;
  subject: string;
  status: "pending" | "step_up_required" | "enrolment_required" | "authenticated" | "invalid_credentials" | "locked" | "denied" | "restricted" | "expired" | "abandoned";
  channel: "cookie" | "bearer";
  score: number | null;
  explanation: string[];
  reasons: Record<string, unknown>[];
  ruleSetVersion: string | null;
  deviceFinding: string | null;
  ip: string | null;
  network: string | null;
  userAgent: string | null;
  place: { latitude: number; longitude: number; accuracyKm: number | null; country: string | null; region: string | null; flags: string[] } | null;
  startedAt: string;
  finishedAt: string | null;
}

export interface PasskeyAssertion {
  id: string;
  rawId: string;
  type: "public-key";
  response: { clientDataJSON: string; authenticatorData: string; signature: string; userHandle?: string | null | undefined };
  authenticatorAttachment?: "platform" | "cross-platform" | null | undefined;
  clientExtensionResults?: Record<string, unknown> | undefined;
}

/** For `navigator.credentials.get` */
export interface PasskeyRequestOptions { challenge: string; [member: string]: unknown }

/** RFC 9457 problem details. `code` is stable; branch on it. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  requestId: string;
  errors?: InvalidMember[] | undefined;
  methods?: FactorMethod[] | undefined;
  triesLeft?: number | undefined;
  serverTime?: number | undefined;
  transactionId?: string | undefined;
  claimedBy?: string | undefined;
  claimExpiresAt?: string | undefined;
  limit?: ExceededLimit | undefined;
  size?: number | undefined;
  reason?: string | undefined;
  obstacles?: string[] | undefined;
  live?: string | undefined;
  version?: string | undefined;
  place?: string | undefined;
  erasedAt?: string | undefined;
  next?: string | null | undefined;
}

export type Role = "customer" | "reviewer" | "admin" | "auditor" | "importer";

export type TransactionAction = "settle" | "step_up" | "quarantine" | "step_up_then_quarantine";

export type TransactionStatus = "settled" | "step_up_required" | "quarantined" | "payment_required" | "rejected";

export type TransactionType = "buy" | "sell" | "deposit" | "withdrawal" | "transfer";
