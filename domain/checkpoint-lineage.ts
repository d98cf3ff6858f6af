/** A published checkpoint as its file name tells it. */
export interface CheckpointPlaceInLog {
  readonly fork: number;
  readonly size: number;
}

/** What a checkpoint of fork 1 or later says of the restore that began its fork. */
export interface AcceptedRestore {
  readonly fork: number;
  /** Entries of the log before that are still there. */
  readonly kept: number;
}

/**
 * How long checkpoints of a fork may be and still bind the log as it is now: a restore that was accepted later abandons the
 * longer ones. Infinite for the newest fork.
 */
export function bindingSize(fork: number, restores: readonly AcceptedRestore[]): number {
  return Math.min(Number.POSITIVE_INFINITY, ...restores.filter((one) => one.fork > fork).map(({ kept }) => kept));
}

/** Those that bind the log as it is now, shortest first. */
export function bindingCheckpoints<C extends CheckpointPlaceInLog>(
  published: readonly C[],
  restores: readonly AcceptedRestore[],
): C[] {
  return published
    .filter(({ fork, size }) => size <= bindingSize(fork, restores))
    .sort((a, b) => a.size - b.size || a.fork - b.fork);
}
