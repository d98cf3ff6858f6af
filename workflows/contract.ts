/**
 * What the outside may know of the workflows: ids, task queues, inputs, updates, signals and results. The API, the
 * workers, the tests and the workflows themselves import this one file, so a name is spelled once.
 */
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { VerificationScope } from '../domain/audit-scope.ts';
import type { BackupErrorCode, BackupTrigger } from '../domain/backup.ts';
import type { Severity } from '../domain/incident.ts';
import type { FactorMethod } from '../domain/login.ts';
import type { ReviewReminder } from '../domain/review-sla.ts';
import type { TransactionType } from '../domain/transaction.ts';
import type { TransactionLabel } from '../domain/transaction-label.ts';
import type { TransactionView } from '../domain/transaction-view.ts';

export type { TransactionView } from '../domain/transaction-view.ts';

/** A workflow id names one occurrence, never a person, and is never used twice. */
export const workflowIds = {
  login: (loginId: string) => `login:${loginId}`,
  lockout: (lockoutId: string) => `lockout:${lockoutId}`,
  transaction: (transactionId: string) => `transaction:${transactionId}`,
  incident: (incidentId: string) => `incident:${incidentId}`,
  restriction: (restrictionId: string) => `restriction:${restrictionId}`,
  backup: (backupId: string) => `backup:${backupId}`,
  restoreDrill: (drillId: string) => `restore-drill:${drillId}`,
  keyRotation: (rotationId: string) => `key-rotation:${rotationId}`,
  backtest: (backtestId: string) => `backtest:${backtestId}`,
  auditVerification: (verificationId: string) => `audit-verification:${verificationId}`,
  auditCheckpoint: (requestId: string) => `audit-checkpoint:${requestId}`,
  incidentEvidence: (bundleId: string) => `incident-evidence:${bundleId}`,
} as const;

/** Decisions people wait for and work nobody waits for never share a queue (customer row H17). */
export interface TaskQueues {
  decisions: string;
  background: string;
}

export function taskQueues(prefix: string): TaskQueues {
  return { decisions: `${prefix}-decisions`, background: `${prefix}-background` };
}

/** Durations and thresholds travel as input: a running workflow keeps the rules it started under. */
export interface LoginSettings {
  queues: TaskQueues;
  stepUpTimeoutMs: number;
  emailCodeTtlMs: number;
  sessionTtlMs: number;
  maxFactorTries: number;
  /** True where a fingerprint without the device's cookie is no known device. */
  deviceCookieRequired: boolean;
  lockout: LockoutSettings;
}

export interface LockoutSettings {
  threshold: number;
  windowMs: number;
  durationMs: number;
}

export interface TransactionSettings {
  queues: TaskQueues;
  stepUpTimeoutMs: number;
  emailCodeTtlMs: number;
  reviewWindowMs: number;
  priceMaxAgeMs: number;
  maxFactorTries: number;
  /** What thresholds, features and limits are counted in. */
  baseCurrency: string;
  /** An older exchange rate lets nothing through; absent in runs from before there were rates, which take none as young. */
  rateMaxAgeMs?: number;
  /** Minor units of the base currency, decimal digits; amounts strictly above need a step-up. */
  stepUpAmountMinor: string;
  /** Minor units; holds strictly above need two different reviewers. Null: one always suffices. */
  secondApprovalAboveMinor: string | null;
  /** Where deposits are paid: at the provider, or (outside production) nowhere, which books them at once. */
  payments: 'provider' | 'none';
  /** How long a deposit waits for its payment. */
  paymentTimeoutMs: number;
  /** How long its owner may appeal against a rejection by review; absent in runs from before there were appeals. */
  appealWindowMs?: number;
  /** Whether security questions are offered beside the factors; absent in runs from before there were any. */
  securityQuestions?: boolean;
}

/** What a workflow must start or send after an activity's transaction committed. Ids only: never text, never secrets. */
export interface FollowUps {
  /** Outbox rows to deliver now. */
  mails: string[];
  /** Incidents that this transaction opened, raised or resolved. */
  incidents: { incidentId: string; severity: Severity }[];
  /** Restrictions that this transaction began. */
  restrictions?: string[];
}

// --- login -----------------------------------------------------------------------------------------------------------

export interface LoginInput {
  loginId: string;
  attemptId: string;
  passwordOk: boolean;
  /** HMAC of the user id (or of the subject where no account exists), for the TradeguardUser search attribute. */
  userTag: string;
  settings: LoginSettings;
}

export type LoginVerdict =
  | {
      status: 'authenticated';
      sessionId: string;
      expiresAt: string;
      passwordChangeRequired: boolean;
      /** The device is new or came without its cookie: hand the drawn device token out. */
      issuesDevice: boolean;
    }
  | { status: 'step_up_required'; methods: FactorMethod[]; expiresAt: string }
  | { status: 'enrolment_required'; expiresAt: string }
  | { status: 'invalid_credentials' }
  | { status: 'locked'; lockedUntil: string }
  | { status: 'denied'; code: 'login_denied' | 'account_disabled' }
  | { status: 'restricted' }
  | { status: 'expired' }
  | { status: 'abandoned' };

/** Result of one factor: the login's new state, or a refusal that leaves it open. */
export type LoginFactorOutcome = LoginVerdict | { status: 'factor_invalid'; triesLeft: number };

export type ResendOutcome = { status: 'sent' } | { status: 'too_many' } | { status: 'closed' };

/** Waits for the verdict; the main function does the work. updateId is fixed, so that repeats share one answer. */
export const loginVerdict = defineUpdate<LoginVerdict>('verdict');
/** Carries only the id of the factor attempt that the API recorded. updateId = the attempt's id. */
export const loginSubmitFactor = defineUpdate<LoginFactorOutcome, [factorAttemptId: string]>('submitFactor');
/** Draws and mails a new code, at most three an hour. */
export const loginResendCode = defineUpdate<ResendOutcome, [resendId: string]>('resendCode');

// --- lockout ---------------------------------------------------------------------------------------------------------

export interface LockoutInput {
  lockoutId: string;
  /** RFC 3339; the timer ends here. */
  lockedUntil: string;
  userTag: string;
  queues: TaskQueues;
}

/** An administrator's unlock; the row with who and why was written by the API before. */
export const lockoutUnlock = defineSignal('unlock');

// --- transaction -----------------------------------------------------------------------------------------------------

/** The whole request, validated and normalised at the edge. Integers are decimal strings: JSON has no bigint. */
export interface TransactionRequest {
  transactionId: string;
  userId: string;
  accountId: string;
  type: TransactionType;
  instrument: string | null;
  /** Quantity x 10^6. */
  quantity: string | null;
  /** The client's limit, currency units x 10^4. */
  priceLimit: string | null;
  /** Minor units; null for a buy or sell that leaves it to the price. */
  amount: string | null;
  currency: string;
  category: string;
  counterparty: string | null;
  /** Hex SHA-256 of the canonical body: another body under the same key is a conflict. */
  bodyHash: string;
  sessionId: string | null;
  ip: string | null;
  userAgent: string | null;
  requestId: string;
  /** Random per HTTP request: tells the call that started the workflow from those that met it under the same key. */
  submissionId: string;
}

/** Only the importer (never in production) sets this: features use the row's own time, verdicts come from its label. */
export interface VirtualTime {
  /** RFC 3339, to the microsecond. */
  at: string;
  /** Funds the account before its first row: settles at once and leaves no trace in the features. */
  outsideFeatures: boolean;
}

export interface TransactionInput {
  request: TransactionRequest;
  userTag: string;
  settings: TransactionSettings;
  virtual: VirtualTime | null;
  /**
   * Set by `reconcile` when the row exists already and its first workflow is gone: skip the decision, wait out the rest.
   * The sequence keeps the new run's effects apart from those of earlier runs of the same hold. An appeal begins the second
   * hold with a run of its own, sequence 0.
   */
  resume: { sequence: number; hold?: number } | null;
}

/** Every verdict says which body it is about and which call brought it: another body under the key is a conflict. */
interface VerdictOrigin {
  bodyHash: string;
  submissionId: string;
}

export type TransactionVerdict = VerdictOrigin &
  (
    | { kind: 'decided'; httpStatus: number; body: TransactionView; requestId: string }
    /** Refused before anything was stored: the account may not trade. */
    | { kind: 'refused'; code: 'account_restricted' | 'account_disabled' }
  );

/** Where a transaction stands after one step of its workflow. Deadlines are RFC 3339, null where none runs. */
export interface TransactionState {
  view: TransactionView;
  /** 0 to 1. */
  risk: number;
  stepUpExpiresAt: string | null;
  reviewBy: string | null;
  payBy: string | null;
  approvals: { given: number; required: number };
  /** Which hold it is; absent in runs from before there were appeals, as are reminders: those have none. */
  hold?: number;
  /** When whoever has to decide is reminded; empty unless it is held. */
  reminders?: ReviewReminder[];
  followUps: FollowUps;
}

export type TransactionFactorOutcome =
  | { kind: 'state'; body: TransactionView }
  | { kind: 'factor_invalid'; triesLeft: number }
  /** It waits for no factor (any more); null where nothing was stored. */
  | { kind: 'closed'; body: TransactionView | null };

/** What the workflow returns: the verdict again, for a request that met it after its end, and where it ended. */
export interface TransactionResult {
  verdict: TransactionVerdict;
  view: TransactionView | null;
}

export const transactionVerdict = defineUpdate<TransactionVerdict>('verdict');
export const transactionSubmitFactor = defineUpdate<TransactionFactorOutcome, [factorAttemptId: string]>(
  'submitFactor',
);
export const transactionResendCode = defineUpdate<ResendOutcome, [resendId: string]>('resendCode');

/**
 * A reviewer's verdict. `{verdictId}` names a row that the API wrote for a signed-in reviewer; the long form comes from
 * the Temporal UI or CLI, where the activity checks and uses up the TOTP code. Everything else is refused and recorded.
 */
export type ReviewSignal =
  | { verdictId: string }
  | { reviewer: string; verdict: 'approve' | 'reject'; reason: string; totp: string; label?: TransactionLabel };
export const transactionReview = defineSignal<[unknown]>('review');
/** The owner takes the transaction back; the row with who asked was written by the API before. */
export const transactionCancel = defineSignal('cancel');
/** The payment provider has told of a payment; what it said lies in the database, and the provider is asked. */
export const transactionPayment = defineSignal('payment');
/** Ends the wait for a factor before its time: only for imported transactions, whose time is not ours. */
export const transactionLapse = defineSignal('lapse');

// --- device ----------------------------------------------------------------------------------------------------------

export interface DeviceCleanUpInput {
  /** Devices that no login passed from for this many days are forgotten. */
  unseenForDays: number;
}

// --- incident --------------------------------------------------------------------------------------------------------

export interface IncidentInput {
  incidentId: string;
  severity: Severity;
  userTag: string;
}

/** Names the row that the API wrote. */
export interface EvidenceInput {
  bundleId: string;
}

/** The row changed (taken up, resolved): look again. */
export const incidentChanged = defineSignal('changed');

// --- restriction -----------------------------------------------------------------------------------------------------

export interface RestrictionInput {
  restrictionId: string;
  /** How long a link of the recovery works. */
  linkTtlMs: number;
  userTag: string;
  queues: TaskQueues;
}

/** An administrator asked for a step of the recovery; the row with who and what was written by the API before. */
export const restrictionRecover = defineSignal('recover');

// --- audit -----------------------------------------------------------------------------------------------------------

/** Names the row that the API wrote; the schedule starts without one. */
export interface AuditVerificationInput {
  /** Of the row that the API wrote; absent in a run by the clock, which makes one. */
  verificationId?: string;
  /** Everything where it is left out, as in runs from before there was a choice. */
  scope?: AuditVerificationScope;
}

/** `daily`: what is new since the last one, and everything once a day. */
export type AuditVerificationScope = VerificationScope | { mode: 'daily' };

export interface AuditCheckpointInput {
  trigger: 'schedule' | 'request';
}

/** `name`: of the published checkpoint that counts, or that the log contradicts; null where the log itself is damaged. */
export type AuditCheckpointResult =
  | { status: 'published'; name: string }
  | { status: 'unchanged'; name: string | null }
  | { status: 'refused'; name: string | null; reason: string };

// --- back-test ------------------------------------------------------------------------------------------------------

/** Names the row that the API wrote. */
export interface BacktestInput {
  backtestId: string;
}

// --- backup ----------------------------------------------------------------------------------------------------------

export interface BackupInput {
  /** Null for the schedule, whose runs draw their own. */
  backupId: string | null;
  trigger: BackupTrigger;
  requestedBy: string | null;
  queues: TaskQueues;
}

export interface RestoreDrillInput {
  /** Null for the schedule. */
  drillId: string | null;
  /** Which backup is restored; null for the newest. */
  backupId: string | null;
  trigger: BackupTrigger;
  requestedBy: string | null;
  queues: TaskQueues;
}

/** Whether a run began. A refusal's detail says what to do about it. */
export type RunAcceptance =
  | { status: 'accepted' }
  | { status: 'refused'; code: 'already_running' | BackupErrorCode; detail: string };

/** Waits until the run has begun or was refused; its row tells how it goes on. */
export const runAccepted = defineUpdate<RunAcceptance>('accepted');

// --- key rotation ----------------------------------------------------------------------------------------------------

export interface KeyRotationInput {
  /** Null for the schedule, whose runs draw their own. */
  rotationId: string | null;
  trigger: 'schedule' | 'manual' | 'cli';
  /** `field`: the key of stored fields; `session`: those of session, CSRF and device tokens. */
  scope: 'all' | 'field' | 'session';
  requestedBy: string | null;
  queues: TaskQueues;
  /** How long a new key is stored before it is used: all processes look for new ones several times within. */
  settleMs: number;
  /** How long an old key is kept at least after it was last used. */
  graceMs: number;
  /** Fields that are re-encrypted in one transaction. */
  batchSize: number;
}

/** Twenty times the interval at which processes look for new keys. */
const KEY_SETTLE_MS = 20_000;
const KEY_GRACE_MS = 3_600_000;

/** How rotations run unless a test says otherwise. */
export const keyRotationPace = { settleMs: KEY_SETTLE_MS, graceMs: KEY_GRACE_MS, batchSize: 200 } as const;

/** The fixed updateId of every `verdict` update. */
export const VERDICT_UPDATE_ID = 'verdict';
