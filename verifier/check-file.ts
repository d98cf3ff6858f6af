import { createEntryCheck, type Symptom } from './check-entry.ts';
import { type Line, parseLine } from './line.ts';
import type { ArchivedMonth } from './manifest.ts';
import { type ReadFile, readLines } from './reading.ts';
import { createSubtrees, type Subtree } from './tree.ts';

/** What a thread is asked to check: one file of an export. */
export interface FileTask {
  path: string;
  /** The sequence number that the manifest gives its first line. */
  first: number;
  /** Tree sizes within the file at which somebody said what root and head are; ascending, each above `first`. */
  sizes: readonly number[];
  /** Per tree size the earliest time that a checkpoint of at least that size names: what lies below was sealed before. */
  deadlines: readonly { size: number; time: string }[];
  /** Months in cold storage, as the signed manifest says. */
  archived: readonly ArchivedMonth[];
  /** Base64. */
  auditKeys: readonly string[];
}

/** A line that is not as it has to be. */
export interface Anomaly {
  seq: number;
  /** Among the lines of its file, from 0. */
  index: number;
  symptoms: Symptom[];
  column: string | null;
  prevHash: string;
  hash: string;
  leafHash: string;
  /** What the leaf of its text is. */
  leaf: string | null;
}

export interface FileResult extends ReadFile {
  first: Line | null;
  last: Line | null;
  anomalies: Anomaly[];
  /** Lines with an anomaly, of which at most {@link MAX_ANOMALIES} are told. */
  anomalous: number;
  /** From one size of the task to the next: the subtrees of the leaves between, and the hash of the last entry. */
  segments: { size: number; head: string; subtrees: Subtree[] }[];
  /** The first entry that was sealed after a checkpoint that already covered its number. */
  firstLate: number | null;
  /** Times of sealing of `backup.restored` entries; at most {@link MAX_RESTORES}. */
  restores: string[];
  /** Lines without a text, of entries in cold storage. */
  archived: number;
  /** Two 32-bit numbers of each entry's id, to find ids that occur twice. */
  ids: Uint32Array<ArrayBuffer>;
}

export const MAX_ANOMALIES = 64;
const MAX_RESTORES = 64;
const RESTORED = '"action":"backup.restored"';

/**
 * Checks the lines of one file by themselves and against each other, in memory that does not grow with the file but for
 * 8 bytes a line. What lies before the file is for the caller to join.
 *
 * @throws errors of the file system
 */
export async function checkFile(task: FileTask, onBytes: (bytes: number) => void): Promise<FileResult> {
  const { check } = createEntryCheck(task.auditKeys);
  const subtrees = createSubtrees();
  const found: Omit<FileResult, keyof ReadFile> = {
    first: null,
    last: null,
    anomalies: [],
    anomalous: 0,
    segments: [],
    firstLate: null,
    restores: [],
    archived: 0,
    ids: new Uint32Array(2 * 65_536),
  };
  let problem: string | null = null;
  let count = 0;
  let nextSize = 0;
  let deadline = 0;
  let before: Line | null = null;

  function take(text: string, index: number): boolean {
    const line = parseLine(text);
    if (line === null) {
      problem = `no export in line ${index + 1}`;
      return false;
    }
    const isArchived = line.entry === null && isInColdStorage(line);
    if (isArchived) found.archived += 1;
    const { symptoms, column, leaf } = check(line, isArchived);
    const isNumbered = line.seq === (before === null ? task.first : before.seq + 1);
    const isLinked = before === null || line.prevHash === before.hash;
    if (symptoms.length > 0 || !isNumbered || !isLinked) {
      note(line, index, { symptoms: [...symptoms], column, leaf, isNumbered, isLinked });
    }
    addId(line.id);
    // Where hash and text fit each other, a leaf that was changed leaves the tree as it was; where the text is wrong or
    // gone, the leaf beside it lets the rest of the tree be judged.
    const hash = symptoms.includes('leaf') && leaf !== null ? leaf : line.leafHash;
    subtrees.push({ level: 0, index: line.seq, hash });
    while (nextSize < task.sizes.length && (task.sizes[nextSize] as number) <= line.seq) nextSize += 1;
    if (task.sizes[nextSize] === line.seq + 1) endSegment(line);
    while (deadline < task.deadlines.length && (task.deadlines[deadline]?.size ?? 0) <= line.seq) deadline += 1;
    const latest = task.deadlines[deadline]?.time;
    if (latest !== undefined && found.firstLate === null && line.sealedAt > latest) found.firstLate = line.seq;
    if (line.entry?.includes(RESTORED) && found.restores.length < MAX_RESTORES) found.restores.push(line.sealedAt);
    found.first ??= line;
    before = line;
    found.last = line;
    return true;
  }

  function isInColdStorage({ seq, id }: Line): boolean {
    return task.archived.some(({ from, to, firstId, endId }) => seq >= from && seq < to && id >= firstId && id < endId);
  }

  function note(
    line: Line,
    index: number,
    given: Pick<Anomaly, 'symptoms' | 'column' | 'leaf'> & { isNumbered: boolean; isLinked: boolean },
  ): void {
    found.anomalous += 1;
    if (found.anomalies.length >= MAX_ANOMALIES) return;
    const { symptoms, column, leaf } = given;
    if (!given.isNumbered) symptoms.push('number');
    if (!given.isLinked) symptoms.push('link');
    const { seq, prevHash, hash, leafHash } = line;
    found.anomalies.push({ seq, index, symptoms, column, prevHash, hash, leafHash, leaf });
  }

  function endSegment(line: Line): void {
    found.segments.push({ size: line.seq + 1, head: line.hash, subtrees: subtrees.flush() });
  }

  /** The last 64 bits of a UUIDv7 are random but for two. */
  function addId(id: string): void {
    if (2 * count === found.ids.length) {
      const larger = new Uint32Array(2 * found.ids.length);
      larger.set(found.ids);
      found.ids = larger;
    }
    found.ids[2 * count] = Number.parseInt(id.slice(19, 23) + id.slice(24, 28), 16);
    found.ids[2 * count + 1] = Number.parseInt(id.slice(28), 16);
    count += 1;
  }

  const read = await readLines(task.path, take, onBytes);
  const { last } = found;
  if (last !== null && found.segments.at(-1)?.size !== (last as Line).seq + 1) endSegment(last);
  return { ...found, ids: found.ids.slice(0, 2 * count), ...read, lines: count, problem: read.problem ?? problem };
}
