import { isDomainError } from '../domain/errors.ts';
import { checkpointName } from '../security/checkpoint.ts';
import type { CheckpointPublisher, Refusal } from './checkpoint-publisher.ts';

/** The tree of the log at one size, and the published checkpoint that says so. */
export interface CoveringCheckpoint {
  /** Null where the log does not go together with what is published. */
  checkpoint: { name: string; note: string } | null;
  /** Null where seals or nodes of the log are missing, so that nothing can be proved. */
  tree: { size: number; root: Buffer; head: Buffer } | null;
  refusal: Refusal | null;
}

/**
 * A published checkpoint that covers the first `covering` entries: the last one, or one that is published for this.
 * Where the log contradicts what is published none is signed; the tree is then the log's as it stands.
 *
 * @throws DomainError `tree_behind`, and the places' errors when none can be read or written
 */
export async function coveringCheckpoint(
  publisher: CheckpointPublisher,
  { covering, signal }: { covering: number; signal?: AbortSignal | undefined },
): Promise<CoveringCheckpoint> {
  const options = signal ? { signal } : {};
  try {
    const outcome = await publisher.publish({ trigger: 'evidence', covering, ...options });
    if (outcome.status === 'published') {
      const { checkpoint, note } = outcome;
      return { checkpoint: { name: checkpointName(checkpoint), note }, tree: checkpoint, refusal: null };
    }
    const { last, log, refusal } = await publisher.stand(signal);
    if (last === null) return { checkpoint: null, tree: log, refusal };
    return { checkpoint: { name: last.name, note: last.note }, tree: last.checkpoint, refusal: null };
  } catch (error) {
    if (isDomainError(error) && error.code === 'log_damaged') return { checkpoint: null, tree: null, refusal: null };
    throw error;
  }
}
