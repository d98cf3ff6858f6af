/**
 * The API's objects by name: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * `npx vitest run --project servers test/client/operations.test.ts -u` writes it anew.
 */

export interface AuditEntry {
  id: string;
  at: string;
  action: string;
  actor: AuditParty;
  subject: AuditParty;
  outcome: "success" | "failure" | "denied";
  severity?: AuditSeverity | undefined;
  ip: string | null;
  userAgent: string | null;
  requestId: string | null;
  workflowId: string | null;
  details: Record<string, unknown>;
  v: 1;
  seq: number | null;
  hash: string | null;
}

export interface AuditEntryList { items: AuditEntry[]; nextCursor: string | null; inColdStorage: string[] }

export interface AuditParty { kind: string; id?: string | undefined }

export type AuditSeverity = "info" | "low" | "medium" | "high" | "critical";

export interface AuditVerification {
  valid?: boolean | undefined;
  mode: "full" | "incremental" | "range";
  from: number | null;
  to: number | null;
  checked: number;
  unsealed?: number | undefined;
  archived?: number | undefined;
  firstInvalidSeq?: number | undefined;
  reason?: string | undefined;
  verificationId: string;
  workflowId: string | null;
  status: "requested" | "running" | "valid" | "invalid" | "cancelled" | "failed";
  total: number | null;
  requestedBy: string | null;
  requestedAt: string;
  finishedAt: string | null;
}

export interface AuditVerificationResult {
  valid: boolean;
  mode: "full" | "incremental" | "range";
  from: number;
  to: number;
  checked: number;
  unsealed: number;
  archived: number;
  firstInvalidSeq?: number | undefined;
  reason?: string | undefined;
}

export interface Backup {
  backupId: string;
  workflowId: string | null;
  status: "running" | "succeeded" | "failed" | "cancelled";
  trigger: "schedule" | "boot" | "manual" | "cli";
  requestedBy: string | null;
  startedAt: string;
  finishedAt: string | null;
  reason: string | null;
  phase: "dump" | "validate" | "copy";
  bytesDone: number;
  createdAt: string | null;
  fileBytes: number | null;
  dumpBytes: number | null;
  fileSha256: string | null;
  tables: number | null;
  rows: number | null;
  auditSeq: number | null;
  postgresVersion: string | null;
  copiedAt: string | null;
  copyFailure: string | null;
  deletedAt: string | null;
}

export interface BackupList { items: Backup[]; nextCursor: string | null }

export interface Checkpoint {
  name: string;
  fork: number;
  size: number;
  root: string;
  head: string;
  time: string;
  key: string;
  note: string;
}

export interface CheckpointList { items: RecordedCheckpoint[]; nextCursor: string | null }

export interface CheckpointPublication {
  status: "published" | "unchanged" | "refused";
  name: string | null;
  reason?: string | undefined;
}

export interface ConsistencyProof { from: number; to: number; fromRoot: string; toRoot: string; proof: string[] }

export interface Health {
  status: "up" | "degraded" | "down";
  components: { database: HealthComponent; temporal: HealthComponent; workers: { status: "up" | "late" | "down"; detail?: string | undefined; decisions: number; background: number }; sealer: { status: "up" | "late" | "down"; detail?: string | undefined; unsealed: number; oldestSeconds: number }; backups: { status: "up" | "late" | "off" | "down"; detail?: string | undefined }; geo: { status: "up" | "off" | "down"; detail?: string | undefined }; rateLimit: { status: "up" | "late" | "down"; detail?: string | undefined; store: "postgresql" | "redis" }; mail: { status: "up" | "late" | "down"; detail?: string | undefined; mode: "smtp" | "file"; waiting: number; oldestSeconds: number } };
  features: ({ name: string; state: "on" | "off" | "unavailable"; why: string | null })[];
  checkedAt: string;
}

export interface HealthComponent { status: "up" | "late" | "down"; detail?: string | undefined }

export interface InclusionProof {
  seq: number;
  size: number;
  leafHash: string;
  root: string;
  proof: string[];
  entry: string | null;
  archivedIn: { month: string; manifestSha256: string } | null;
}

export interface Key {
  keyId: string;
  purpose: "session" | "csrf" | "device-cookie" | "login-subject" | "transaction-id" | "factor-code" | "recovery-code" | "reset-token" | "search-attribute" | "blind-index" | "payload-codec" | "field";
  version: number;
  state: "pending" | "active" | "retired";
  rotated: boolean;
  createdAt: string;
  activeFrom: string;
  retiredAt: string | null;
}

export interface KeyRotation {
  rotationId: string;
  workflowId: string | null;
  status: "running" | "succeeded" | "failed" | "cancelled";
  scope: "all" | "field" | "session";
  trigger: "schedule" | "manual" | "cli";
  requestedBy: string | null;
  activeFrom: string;
  fieldsTotal: number | null;
  fieldsDone: number;
  fieldsUnreadable: number;
  startedAt: string;
  finishedAt: string | null;
  reason: string | null;
}

export interface KeyRotationList { items: KeyRotation[]; nextCursor: string | null }

export interface Latency {
  count: number;
  p50: number | null;
  p95: number | null;
  p99: number | null;
  max: number | null;
  clientErrors: number;
  serverErrors: number;
}

export interface PerformanceStats {
  process: { pid: number; host: string; startedAt: string; uptimeSeconds: number };
  recentMinutes: number;
  routes: { method: string; route: string; sinceStart: Latency; lately: Latency }[];
  allProcesses: { requests: number; serverErrors: number };
  eventLoopDelay: { mean: number; p99: number; max: number };
  memory: { rss: number; heapUsed: number; heapTotal: number; external: number };
  databasePool: { max: number; total: number; idle: number; waiting: number };
  eventStreams: number;
  backlog: { unsealed: number; unsealedSeconds: number; mailsWaiting: number; mailWaitingSeconds: number; held: number; steppingUp: number; unresolvedIncidents: number; checkpointSeconds: number | null; checkpointWaitingSeconds: number; checkpointFailures: number };
  errors: ({ fingerprint: string; process: "api" | "worker"; type: string; message: string; place: string; occurrences: number; firstAt: string; lastAt: string; lastRequestId: string | null })[];
}

export interface RecordedCheckpoint {
  name: string;
  fork: number;
  size: number;
  root: string;
  head: string;
  time: string;
  key: string;
  note: string;
  recordedAt: string;
  trigger: "schedule" | "backup" | "restore" | "request" | "evidence" | "found";
  places: Record<string, string | null>;
  witness: "none" | "cosigned" | "refused" | "unreachable" | "invalid";
}

export interface RestoreDrill {
  drillId: string;
  backupId: string | null;
  workflowId: string | null;
  status: "running" | "succeeded" | "failed" | "cancelled";
  trigger: "schedule" | "boot" | "manual" | "cli";
  requestedBy: string | null;
  startedAt: string;
  finishedAt: string | null;
  reason: string | null;
  phase: "restore" | "count" | "audit";
  done: number;
  tablesChecked: number | null;
  rowsChecked: number | null;
  auditEntriesChecked: number | null;
}

export interface RestoreDrillList { items: RestoreDrill[]; nextCursor: string | null }

export interface RevealedAuditEntry {
  entryId: string;
  subjectId: string;
  action: string;
  values: Record<string, string>;
}

export interface SecretAge { name: string; since: string; ageDays: number }

export interface TaskQueueStats {
  queues: ({ queue: "decisions" | "background"; name: string; kind: "workflow" | "activity"; backlog: number; oldestSeconds: number; addedPerSecond: number; dispatchedPerSecond: number; pollers: { identity: string; lastSeenAt: string }[] })[];
  workflows: { type: string; byStatus: Record<string, number> }[];
}
