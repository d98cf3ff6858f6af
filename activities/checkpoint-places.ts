import { createCheckpointBucket } from '../platform/checkpoint-bucket.ts';
import type { CheckpointSettings } from '../platform/checkpoint-config.ts';
import { type CheckpointPlace, createCheckpointFolder } from '../platform/checkpoint-folder.ts';
import { parseCheckpointName } from '../security/checkpoint.ts';

/** The folder, and the bucket where there is one. The first that can be written decides what a checkpoint's content is. */
export function openCheckpointPlaces({ dir, bucket }: Pick<CheckpointSettings, 'dir' | 'bucket'>): CheckpointPlace[] {
  return [createCheckpointFolder(dir), ...(bucket ? [createCheckpointBucket(bucket)] : [])];
}

/** A name that is published somewhere. */
export interface PublishedName {
  readonly name: string;
  readonly fork: number;
  readonly size: number;
  /** Those that have it. */
  readonly places: readonly CheckpointPlace[];
}

export interface Survey {
  /** In order of (fork, size): the last one is the last. */
  readonly names: readonly PublishedName[];
  /** Places that could be read. */
  readonly reached: readonly CheckpointPlace[];
  /** By place: why it could not be read. */
  readonly failures: Readonly<Record<string, string>>;
}

/** Lists every place. One that cannot be read is told of. @throws the error of the last one when none can */
export async function surveyPlaces(places: readonly CheckpointPlace[], signal?: AbortSignal): Promise<Survey> {
  const byName = new Map<string, CheckpointPlace[]>();
  const reached: CheckpointPlace[] = [];
  const failures: Record<string, string> = {};
  let lastError: unknown;
  for (const place of places) {
    try {
      for (const name of await place.list(signal)) byName.set(name, [...(byName.get(name) ?? []), place]);
      reached.push(place);
    } catch (error) {
      signal?.throwIfAborted();
      failures[place.name] = reasonOf(error);
      lastError = error;
    }
  }
  if (reached.length === 0) throw lastError;
  const names = [...byName].flatMap(([name, where]) => {
    const at = parseCheckpointName(name);
    return at === null ? [] : [{ name, fork: at.fork, size: at.size, places: where }];
  });
  // Both numbers are padded, so the order of names is the order of checkpoints.
  names.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { names, reached, failures };
}

export interface PublishedNote {
  readonly place: string;
  readonly name: string;
  readonly note: string;
}

/**
 * Everything that is published, for whoever holds the log against it: every name in every place, since one place may have
 * been tampered with and another not. Nothing about the notes was checked.
 *
 * @param onRead called after every note
 */
export async function readPublished(
  places: readonly CheckpointPlace[],
  { signal, onRead }: { signal?: AbortSignal | undefined; onRead?: () => void } = {},
): Promise<{ published: PublishedNote[]; failures: Survey['failures'] }> {
  const { names, failures } = await surveyPlaces(places, signal);
  const published: PublishedNote[] = [];
  for (const { name, places: where } of names) {
    for (const place of where) {
      const note = await place.read(name, signal);
      onRead?.();
      if (note !== undefined) published.push({ place: place.name, name, note });
    }
  }
  return { published, failures };
}

/** What went wrong in a few words, for records: the code of a file system or of a storage, else the message. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return (code ?? message ?? String(error)).slice(0, 200);
}
