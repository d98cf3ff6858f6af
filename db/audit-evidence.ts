import type { Checkpoint } from '../security/checkpoint.ts';
import { type CompactRange, createCompactRange } from '../security/merkle.ts';
import type { RangeResult } from './audit-check.ts';
import type { Attack } from './audit-diagnosis.ts';
import type { Database } from './orm.ts';
import { row } from './sql.ts';

/** What was published outside the database, opened and in the order of sizes. */
export interface PublishedEvidence {
  /** Those that bind the log as it is now. */
  checkpoints: readonly Checkpoint[];
  /** One of them that is not what it should be. */
  fault: 'foreign_checkpoint' | 'checkpoint_forged' | null;
  /** Tells what a log that is shorter than a checkpoint, or other than it says, has been through. */
  nameOf(checkpoint: Checkpoint, size: number): Promise<Attack>;
}

/** What the log was at one size, by somebody's word: a published checkpoint, or an earlier verification. */
export interface Evidence {
  size: number;
  head: Buffer;
  /** An earlier verification noted none. */
  root: Buffer | null;
  /** PostgreSQL reads it. */
  time: string;
  /** What a log of that many sealed entries that does not agree with it has been through. */
  nameOf(sealed: number): Promise<Attack>;
}

/** Everything that binds, the shortest first: what was published, and what an earlier verification found. */
export async function evidenceOf(db: Database, published: PublishedEvidence | undefined): Promise<Evidence[]> {
  const memory = await lastSoundHead(db);
  const found: Evidence[] = memory === null ? [] : [memory];
  if (published !== undefined) {
    for (const checkpoint of published.checkpoints) {
      const { size, head, root, time } = checkpoint;
      found.push({ size, head, root, time, nameOf: (sealed) => published.nameOf(checkpoint, sealed) });
    }
  }
  return found.sort((a, b) => a.size - b.size);
}

/**
 * @param tree of everything before the range that the point lies in. Without it the hash alone is compared: it is that of
 *   all texts up to there, and the leaves of those that were read are as they should be
 */
export function agrees(evidence: Evidence, point: RangeResult['points'][number], tree: CompactRange | null): boolean {
  if (!evidence.head.equals(point.head)) return false;
  if (evidence.root === null || tree === null) return true;
  const grown = createCompactRange({ end: tree.end(), hashes: tree.hashes() });
  grown.append({ begin: tree.end(), end: point.size, hashes: point.subtrees });
  return grown.root().equals(evidence.root);
}

/** The longest chain that was ever found sound: a shorter or another one since then is a fault. */
async function lastSoundHead(db: Database): Promise<Evidence | null> {
  const found = await row<{ size: string; head_hash: Buffer; at: string }>(
    db.fork(),
    `select from_seq + checked as size, head_hash, coalesce(started_at, requested_at) as at from audit_verification
      where status = 'valid' and mode <> 'range' and from_seq + checked > 0 order by from_seq + checked desc limit 1`,
  );
  if (found === undefined) return null;
  const size = Number(found.size);
  const nameOf = async (sealed: number): Promise<Attack> => (sealed < size ? 'tail_truncated' : 'history_rewritten');
  return { size, head: found.head_hash, root: null, time: found.at, nameOf };
}
