import type { PublishedEvidence } from '../db/audit-evidence.ts';
import { auditOrigin } from '../db/audit-search.ts';
import { headAt, rootAt } from '../db/audit-tree.ts';
import type { Database } from '../db/orm.ts';
import { type AcceptedRestore, bindingCheckpoints } from '../domain/checkpoint-lineage.ts';
import { isDomainError } from '../domain/errors.ts';
import type { CheckpointPlace } from '../platform/checkpoint-folder.ts';
import type { Checkpoint } from '../security/checkpoint.ts';
import { faultOf, openPublished } from './checkpoint-check.ts';
import { readPublished } from './checkpoint-places.ts';
import type { CheckpointSigner } from './checkpoint-signer.ts';

/**
 * Everything that is published of a log, opened, for a verification to hold the log against. To be read before the
 * verification begins: the log is then at least as long as all of it.
 *
 * @throws the error of the last place when none can be read
 */
export async function readEvidence({ db, ...source }: Source & { db: Database }, options: ReadOptions = {}) {
  const origin = await auditOrigin(db.fork());
  const { binding, fault } = await openEverything(source, origin, options);
  const evidence: PublishedEvidence = {
    checkpoints: binding,
    fault,
    nameOf: (checkpoint, size) => nameOf(db, origin, checkpoint, size),
  };
  return evidence;
}

interface Source {
  places: readonly CheckpointPlace[];
  signer: CheckpointSigner;
}

export interface ReadOptions {
  signal?: AbortSignal | undefined;
  /** Called for every note that was read: there are thousands after a year. */
  onRead?: () => void;
}

/**
 * Opens every published note of a log once, however many places have it.
 *
 * @returns those that bind the log, shortest first; the newest of all; and what was wrong with the first that did not open
 */
export async function openEverything({ places, signer }: Source, origin: string, options: ReadOptions = {}) {
  const { published } = await readPublished(places, options);
  const notes = new Map(published.map(({ name, note }) => [`${name}\n${note}`, { name, note }]));
  const opened = [...notes.values()].map(({ name, note }) => openPublished(name, note, origin, signer));
  const checkpoints = opened.flatMap((one) => ('checkpoint' in one ? one.checkpoint : []));
  const restores: AcceptedRestore[] = checkpoints.flatMap(({ fork, restored }) =>
    restored === null ? [] : { fork, kept: restored.kept },
  );
  return {
    binding: bindingCheckpoints(checkpoints, restores),
    newest: checkpoints.at(-1) ?? null,
    fault: opened.flatMap((one) => ('fault' in one ? one.fault : []))[0] ?? null,
  };
}

async function nameOf(db: Database, origin: string, checkpoint: Checkpoint, size: number) {
  const guess = checkpoint.size > size ? 'tail_truncated' : 'history_rewritten';
  try {
    return await db.transaction(async (tx) => {
      const log = { origin, size, root: await rootAt(tx, size), head: await headAt(tx, size) };
      return (await faultOf(tx, checkpoint, log)) ?? guess;
    });
  } catch (error) {
    // A log whose tree was cut off with it answers nothing; what is known already has a name.
    if (isDomainError(error)) return guess;
    throw error;
  }
}
