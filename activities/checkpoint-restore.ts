import type { AuditLog } from '../db/audit.ts';
import { sealedUntil } from '../db/audit-checkpoints.ts';
import type { Database } from '../db/orm.ts';
import type { Checkpoint } from '../security/checkpoint.ts';
import { isPrefix } from './checkpoint-check.ts';
import type { CheckpointPublisher, PublishOutcome, Refusal, Standing } from './checkpoint-publisher.ts';
import { openEverything } from './published-evidence.ts';

export interface AcceptRequest {
  /** Why, in the operator's words; goes into the audit log. */
  reason: string;
  /**
   * Sealed entries of the restored log before anything was added to it; undefined where nobody counted them: then it is
   * what was sealed before the last checkpoint that was published.
   */
  restoredSize?: number;
  /** Seals everything that waits. */
  seal: () => Promise<void>;
}

export type Acceptance =
  /** The log holds everything that was published: there is nothing to accept. */
  | { status: 'nothing_lost'; published: PublishOutcome }
  /** Published entries `kept` to `lost` - 1 are gone; the log goes on from `kept` as `fork`. */
  | { status: 'accepted'; fork: number; kept: number; lost: number; published: PublishOutcome }
  | Refusal;

/** What a restore leaves behind, and what an operator who wants it that way may accept. */
const ACCEPTABLE: readonly Refusal['reason'][] = ['tail_truncated', 'restored_without_tail', 'tail_rewritten'];

/**
 * Accepts that a restored backup lost published entries: the log goes on as the next fork, which every checkpoint of it
 * names, from what the backup kept. Published checkpoints up to there still bind; the longer ones stay published and tell
 * what was lost. Without a loss it publishes an ordinary checkpoint.
 */
export async function acceptRestore(
  { db, audit, publisher }: { db: Database; audit: AuditLog; publisher: CheckpointPublisher },
  { reason, restoredSize, seal }: AcceptRequest,
): Promise<Acceptance> {
  await seal();
  const before = await publisher.stand();
  if (before.refusal === null) {
    return { status: 'nothing_lost', published: await publisher.publish({ trigger: 'restore' }) };
  }
  if (!ACCEPTABLE.includes(before.refusal.reason)) return before.refusal;
  const { binding, newest } = await openEverything(publisher, before.log.origin);
  if (newest === null) return before.refusal;
  const kept = await keptOf(db, binding, restoredSize ?? (await sealedSince(db, newest)), before);
  const [fork, lost] = [newest.fork + 1, newest.size];
  await db.transaction((tx) =>
    audit.append(tx, {
      action: 'audit.restore_accepted',
      actor: { kind: 'operator' },
      subject: { kind: 'audit_log', id: before.log.origin },
      outcome: 'success',
      details: { fork, kept, lost, reason },
    }),
  );
  await seal();
  const standing = await publisher.stand();
  const published = await publisher.release({ ...standing, last: null }, 'restore', { fork, restored: { kept, lost } });
  return published.status === 'refused' ? published : { status: 'accepted', fork, kept, lost, published };
}

const sealedSince = (db: Database, { time }: Checkpoint) => sealedUntil(db.fork(), time);

/**
 * How much of the log is what was published: the restored entries, unless a checkpoint within them says otherwise (a backup
 * of a fork that was itself abandoned); then up to the longest that agrees.
 */
async function keptOf(
  db: Database,
  bound: readonly Checkpoint[],
  restoredSize: number,
  { log }: Standing,
): Promise<number> {
  const within = bound.filter(({ size }) => size <= Math.min(restoredSize, log.size));
  let [agreeing, count] = [0, within.length];
  // What agrees with a longer checkpoint agrees with the shorter ones: a search by halves.
  while (agreeing < count) {
    const middle = Math.floor((agreeing + count) / 2);
    const checkpoint = within[middle] as Checkpoint;
    if (await db.transaction((tx) => isPrefix(tx, checkpoint, log.size))) agreeing = middle + 1;
    else count = middle;
  }
  if (agreeing === within.length) return Math.min(restoredSize, log.size);
  return within[agreeing - 1]?.size ?? 0;
}
