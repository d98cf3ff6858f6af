/** Who or what asked for a backup. `boot`: a worker found the last good one too old. */
export const BACKUP_TRIGGERS = ['schedule', 'boot', 'manual', 'cli'] as const;
export type BackupTrigger = (typeof BACKUP_TRIGGERS)[number];

export const BACKUP_STATUSES = ['running', 'succeeded', 'failed', 'cancelled'] as const;
export type BackupStatus = (typeof BACKUP_STATUSES)[number];

/** What a run is at: dump (compressed and encrypted on the way), read back, copy, delete what is too old. */
export const BACKUP_PHASES = ['dump', 'validate', 'copy'] as const;
export type BackupPhase = (typeof BACKUP_PHASES)[number];

export const DRILL_PHASES = ['restore', 'count', 'audit'] as const;
export type DrillPhase = (typeof DRILL_PHASES)[number];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A worker that boots and finds no good backup younger than this (milliseconds) starts one. */
export const BACKUP_OVERDUE_MS = 26 * HOUR;
/**
 * A run that showed no sign of life for this long (milliseconds) is given up, so that it blocks no other. Longer than the
 * longest pause between two attempts of a worker.
 */
export const RUN_LOST_AFTER_MS = 6 * MINUTE;

/**
 * Why something about backups did not work. The retryable ones may go away by themselves; the others stay until somebody
 * changes something.
 */
const RETRYABLE = {
  backups_off: false,
  tools_missing: false,
  dump_failed: true,
  restore_failed: true,
  copy_failed: true,
  backup_missing: true,
  backup_corrupt: false,
  wrong_key: false,
  validation_failed: true,
  target_not_empty: false,
  drill_mismatch: false,
} as const;

export type BackupErrorCode = keyof typeof RETRYABLE;

/** A backup, restore or drill failed. The message is for operators: no secret, no data of a row. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly code: BackupErrorCode;
  readonly retryable: boolean;

  constructor(code: BackupErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = RETRYABLE[code];
  }
}

/**
 * Which of the good backups are older than the retention. The newest one always stays, however old it is: a backup that
 * fails for months must not end with nothing left.
 *
 * @param now Unix time in milliseconds
 * @param retentionMs milliseconds
 */
export function expiredBackups<B extends { createdAt: string }>(
  backups: readonly B[],
  now: number,
  retentionMs: number,
): B[] {
  const newestFirst = [...backups].sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
  return newestFirst.slice(1).filter((backup) => now - Date.parse(backup.createdAt) > retentionMs);
}

/** True when there is no good backup, or none young enough. @param now Unix time in milliseconds */
export function isBackupOverdue(lastGoodAt: string | null, now: number): boolean {
  return lastGoodAt === null || now - Date.parse(lastGoodAt) > BACKUP_OVERDUE_MS;
}
