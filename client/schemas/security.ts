import type { LabelSource, LabelValue, LoginAttempt, Role, TransactionStatus, TransactionType } from './general.ts';

/**
 * The API's objects by name: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * `npx vitest run --project servers test/client/operations.test.ts -u` writes it anew.
 */

export interface ApiSecurityDashboard {
  generatedAt: string;
  windowHours: 24;
  rateLimitViolations: { total: number; byRoute: { route: string; refusals: number }[]; byNetwork: ({ network: string | null; refusals: number })[]; limitPerMinute: number; latest: ({ route: string; network: string | null; userId: string | null; refusals: number; firstAt: string; lastAt: string })[] };
  failedAuthentications: { passwords: ({ network: string | null; failures: number; whileLocked: number; accounts: number })[]; factors: { challenge: string; method: string; failures: number }[]; sessions: number };
  failedSignatures: { total: number; byRoute: { route: string; refusals: number }[]; byNetwork: ({ network: string | null; refusals: number })[]; byCause: { cause: string; refusals: number }[] };
  invalidTokens: { total: number; byRoute: { route: string; refusals: number }[]; byNetwork: ({ network: string | null; refusals: number })[]; byCause: { cause: string; refusals: number }[] };
  monitoredEndpoints: MonitoredEndpoint[];
}

export interface Approval { reviewerId: string; reason: string; at: string }

export interface AuthDashboard {
  generatedAt: string;
  recentAttempts: LoginAttempt[];
  failedLogins: { countedAtMost: number; byUser: ({ userId: string | null; subject: string; failures: number; whileLocked: number; networks: number; lastAt: string })[]; byNetwork: ({ network: string | null; failures: number; whileLocked: number; accounts: number })[] };
  lockedAccounts: LockedAccount[];
  places: { countedAtMost: number; items: ({ latitude: number; longitude: number; country: string | null; region: string | null; attempts: number; failures: number; denied: number; accounts: number; lastAt: string })[] };
  thresholds: { ruleSetVersion: string; factorAbove: number; additionalVerificationAbove: number; deniedAbove: number; lockout: { failures: number; windowSeconds: number; durationSeconds: number } };
}

export interface EvidenceBundle {
  bundleId: string;
  workflowId: string;
  incidentId: string;
  status: "requested" | "running" | "ready" | "failed" | "cancelled";
  windowHours: number;
  requestedBy: string;
  requestedAt: string;
  finishedAt: string | null;
  reason: string | null;
  bundle: { bytes: number; sha256: string; manifestSha256: string; entries: number; found: number; pending: number; checkpoint: string | null; valid: boolean; firstInvalidSeq: number | null; reason: string | null } | null;
}

export interface EvidenceBundleList { items: EvidenceBundle[]; nextCursor: string | null }

export interface Incident {
  incidentId: string;
  workflowId: string;
  cause: string;
  subject: { kind: string; id: string };
  userId: string | null;
  severity: IncidentSeverity;
  status: IncidentStatus;
  title: string;
  openedAt: string;
  assignedTo: string | null;
  escalations: number;
  resolvedAt: string | null;
  resolvedBy: string | null;
  resolution: string | null;
}

export interface IncidentDetail {
  incidentId: string;
  workflowId: string;
  cause: string;
  subject: { kind: string; id: string };
  userId: string | null;
  severity: IncidentSeverity;
  status: IncidentStatus;
  title: string;
  openedAt: string;
  assignedTo: string | null;
  escalations: number;
  resolvedAt: string | null;
  resolvedBy: string | null;
  resolution: string | null;
  timeline: IncidentEvent[];
}

export interface IncidentEvent { at: string; kind: string; actor: string; details: Record<string, unknown> }

export interface IncidentList { items: Incident[]; nextCursor: string | null }

export type IncidentSeverity = "low" | "medium" | "high" | "critical";

export type IncidentStatus = "open" | "investigating" | "resolved";

export interface LockedAccount {
  lockoutId: string;
  workflowId: string;
  userId: string | null;
  subject: string;
  startedAt: string;
  lockedUntil: string;
  secondsLeft: number;
  unlockRequestedBy: string | null;
}

export interface MonitoredEndpoint {
  method: string;
  path: string;
  access: Role[] | null;
  signed: boolean;
  limit: "shared" | "local" | "none";
  calls: number;
  clientErrors: number;
  serverErrors: number;
}

export interface OverviewDashboard {
  generatedAt: string;
  live: { sessions: { open: number; more: boolean }; accounts: { locked: number; restricted: number }; logins: { lastHour: { from: string; total: number; byOutcome: { authenticated: number; invalid_credentials: number; locked: number; denied: number; restricted: number; expired: number; abandoned: number } }; last24Hours: { from: string; total: number; byOutcome: { authenticated: number; invalid_credentials: number; locked: number; denied: number; restricted: number; expired: number; abandoned: number } } }; transactions: { lastHour: { from: string; total: number; byOutcome: { settled: number; step_up_required: number; quarantined: number; payment_required: number; rejected: number } }; last24Hours: { from: string; total: number; byOutcome: { settled: number; step_up_required: number; quarantined: number; payment_required: number; rejected: number } } } };
  risk: { window: "24h" | "7d" | "30d"; bucketSeconds: number; highRiskAbove: number; transactions: RiskBucket[]; logins: RiskBucket[] };
  incidents: { unresolved: number; bySeverity: { low: { open: number; investigating: number }; medium: { open: number; investigating: number }; high: { open: number; investigating: number }; critical: { open: number; investigating: number } } };
  held: { count: number; value: string; currency: string; withoutValue: number; nextDeadline: string | null };
  audit: { sealer: { unsealed: number; oldestUnsealedMs: number; lastSeq: number | null; lastSealedAt: string | null }; verification: { verificationId: string; valid: boolean; mode: "full" | "incremental" | "range"; checked: number; firstInvalidSeq: number | null; reason: string | null; requestedBy: string | null; finishedAt: string } | null; verificationRunning: boolean; checkpoint: { name: string; fork: number; size: number; time: string; recordedAt: string; witness: "none" | "cosigned" | "refused" | "unreachable" | "invalid"; failedPlaces: string[] } | null };
  schedules: ScheduleState[];
}

export interface PastTransaction {
  transactionId: string;
  type: TransactionType;
  amount: string | null;
  currency: string;
  category: string;
  counterparty: string | null;
  status: TransactionStatus;
  code: string | null;
  score: number;
  label: LabelValue | null;
  createdAt: string;
  finishedAt: string | null;
}

export interface ReviewAssignment { transactionId: string; claim: ReviewClaim | null }

export interface ReviewCase {
  transactionId: string;
  workflowId: string;
  userId: string;
  accountId: string;
  type: TransactionType;
  instrument: string | null;
  quantity: string | null;
  amount: string;
  currency: string;
  baseAmount: string | null;
  baseCurrency: string;
  category: string;
  counterparty: string | null;
  status: TransactionStatus;
  code: string | null;
  score: number;
  ruleSetVersion: string;
  explanation: string[];
  reasons: Record<string, unknown>[];
  createdAt: string;
  hold: number;
  heldAt: string;
  reviewBy: string;
  finishedAt: string | null;
  secondsLeft: number;
  timeUsed: number;
  approvals: Approval[];
  requiredApprovals: number;
  claim: ReviewClaim | null;
  label: LabelValue | null;
  notes: ReviewNote[];
  verdicts: ReviewVerdict[];
  appeal: { reason: string; appealedAt: string; rejectedCode: string; rejectedAt: string } | null;
  labels: TransactionLabel[];
  history: PastTransaction[];
  timeline: { at: string; incidentId: string; cause: string; kind: string; actor: string; details: Record<string, unknown> }[];
}

export interface ReviewClaim { reviewerId: string; claimedAt: string; expiresAt: string; assignedBy: string | null }

export interface ReviewItem {
  transactionId: string;
  workflowId: string;
  userId: string;
  accountId: string;
  type: TransactionType;
  instrument: string | null;
  quantity: string | null;
  amount: string;
  currency: string;
  baseAmount: string | null;
  baseCurrency: string;
  category: string;
  counterparty: string | null;
  status: TransactionStatus;
  code: string | null;
  score: number;
  ruleSetVersion: string;
  explanation: string[];
  reasons: Record<string, unknown>[];
  createdAt: string;
  hold: number;
  heldAt: string;
  reviewBy: string;
  finishedAt: string | null;
  secondsLeft: number;
  timeUsed: number;
  approvals: Approval[];
  requiredApprovals: number;
  claim: ReviewClaim | null;
  label: LabelValue | null;
}

export interface ReviewItemList { items: ReviewItem[]; nextCursor: string | null }

export interface ReviewNote { noteId: string; authorId: string; text: string; at: string }

export interface ReviewVerdict {
  hold: number;
  reviewerId: string;
  verdict: "approve" | "reject";
  reason: string;
  source: "api" | "signal";
  at: string;
}

export interface RiskBucket {
  at: string;
  count: number;
  average: number | null;
  maximum: number | null;
  highRisk: number;
}

export interface RiskyTransaction {
  transactionId: string;
  workflowId: string;
  userId: string;
  accountId: string;
  type: TransactionType;
  amount: string | null;
  currency: string;
  category: string;
  status: TransactionStatus;
  code: string | null;
  score: number;
  explanation: string[];
  reasons: Record<string, unknown>[];
  ruleSetVersion: string;
  createdAt: string;
  heldAt: string | null;
  reviewBy: string | null;
}

export interface ScheduleState {
  schedule: "reconcile" | "nonces" | "alerts" | "breaker" | "audit-verification" | "audit-checkpoint" | "population" | "device-clean-up" | "backup" | "key-rotation" | "restore-drill";
  lastRun: { startedAt: string; finishedAt: string | null; outcome: "running" | "succeeded" | "failed" | "cancelled"; reason: string | null; workflowId: string | null } | null;
  lastSucceededAt: string | null;
  nextRunAt: string;
  late: boolean;
}

export interface TransactionLabel {
  label: LabelValue;
  source: LabelSource;
  labelledBy: string | null;
  reason: string;
  knownAt: string;
}

export interface TransactionsDashboard {
  generatedAt: string;
  highRisk: RiskyTransaction[];
  flagged: RiskyTransaction[];
  open: { held: number; nextDeadline: string | null; steppingUp: number };
  last24Hours: { from: string; to: string; total: number; byDecision: { settled: number; step_up_required: number; quarantined: number; payment_required: number; rejected: number }; byType: { buy: number; sell: number; deposit: number; withdrawal: number; transfer: number }; ended: { settled: number; rejected: number }; heldAfterStepUp: number; rejectedByCode: Record<string, number>; settledVolume: { currency: string; amount: string }[]; highRisk: number; flagged: number; escalated: number };
  anomalies: { ruleId: string; fired: number; share: number; errors: number }[];
  thresholds: { ruleSetVersion: string; factorAbove: number; highRiskAbove: number; reviewAbove: number; escalateAbove: number; stepUpAmountAbove: string; reviewWindowSeconds: number };
}
