import { restoredSince, sealedUntil } from '../db/audit-checkpoints.ts';
import { consistencyProof, headAt, rootAt } from '../db/audit-tree.ts';
import type { Tx } from '../db/sql.ts';
import { type Checkpoint, checkpointName, openCheckpoint } from '../security/checkpoint.ts';
import { MerkleError, verifyConsistency } from '../security/merkle.ts';
import type { CheckpointSigner } from './checkpoint-signer.ts';

/** Why a published checkpoint and the log do not go together. */
export type CheckpointFault =
  /** The log is shorter. */
  | 'tail_truncated'
  /** The same or what followed, and a restore after the checkpoint is on record. */
  | 'restored_without_tail'
  /** Entries that it covers were sealed after it. */
  | 'tail_rewritten'
  | 'history_rewritten'
  /** It is one of another log. */
  | 'foreign_checkpoint'
  /** Its signature is not one of this log's keys, or it was renamed. */
  | 'checkpoint_forged';

/** The log as it is now. */
export interface LogState {
  origin: string;
  size: number;
  root: Buffer;
  head: Buffer;
}

export type Opened = { checkpoint: Checkpoint } | { fault: 'foreign_checkpoint' | 'checkpoint_forged' };

/** Opens a published note: signature, log and name have to be right. */
export function openPublished(name: string, note: string, origin: string, signer: CheckpointSigner): Opened {
  try {
    const checkpoint = openCheckpoint(note, signer.verifiers(origin));
    if (checkpoint.origin !== origin) return { fault: 'foreign_checkpoint' };
    return checkpointName(checkpoint) === name ? { checkpoint } : { fault: 'checkpoint_forged' };
  } catch {
    // Whatever was wrong with it, it is not what this log's key signed; its first line says what it claims to be.
    const claimed = note.split('\n', 1)[0];
    return { fault: claimed === origin ? 'checkpoint_forged' : 'foreign_checkpoint' };
  }
}

/** Holds the log against a checkpoint of it: it must be an extension of what the checkpoint says. Null when it is. */
export async function faultOf(tx: Tx, checkpoint: Checkpoint, log: LogState): Promise<CheckpointFault | null> {
  if (checkpoint.size <= log.size && (await isExtension(tx, checkpoint, log))) return null;
  if (await restoredSince(tx, checkpoint.time)) return 'restored_without_tail';
  if (checkpoint.size > log.size) return 'tail_truncated';
  return (await sealedUntil(tx, checkpoint.time)) < checkpoint.size ? 'tail_rewritten' : 'history_rewritten';
}

async function isExtension(tx: Tx, checkpoint: Checkpoint, log: LogState): Promise<boolean> {
  if (!(await headAt(tx, checkpoint.size)).equals(checkpoint.head)) return false;
  try {
    verifyConsistency({
      size1: checkpoint.size,
      root1: checkpoint.root,
      size2: log.size,
      root2: log.root,
      proof: await consistencyProof(tx, { from: checkpoint.size, to: log.size }),
    });
    return true;
  } catch (error) {
    if (error instanceof MerkleError) return false;
    throw error;
  }
}

/** Whether the first entries of the log are those of a checkpoint: cheaper to ask than {@link faultOf}, and says less. */
export async function isPrefix(tx: Tx, checkpoint: Checkpoint, size: number): Promise<boolean> {
  return (
    checkpoint.size <= size &&
    (await rootAt(tx, checkpoint.size)).equals(checkpoint.root) &&
    (await headAt(tx, checkpoint.size)).equals(checkpoint.head)
  );
}
