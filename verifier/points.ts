import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointName, parseCheckpoint } from './checkpoint.ts';
import { type Finding, finding } from './finding.ts';
import { type Folder, PROBLEMS } from './folder.ts';
import { openNote, type Verifier } from './note.ts';
import { UnreadableError } from './pool.ts';
import type { Source } from './source.ts';
import { rootOf } from './tree.ts';

/** Somebody's signed word on what the log was at one size. */
export interface Point {
  kind: 'checkpoint' | 'export';
  size: number;
  root: string;
  head: string;
  time: string;
  fork: number;
  /** Names it to people. */
  label: string;
  /** The export it came with; null for the auditor's own. */
  dir: string | null;
}

export interface Restore {
  fork: number;
  kept: number;
  lost: number;
}

export interface LoadedCheckpoints {
  points: Point[];
  restores: Restore[];
  findings: Finding[];
  notes: string[];
}

/** A note as it lies somewhere. */
interface NoteFile {
  name: string;
  text: string;
}

/** The checkpoints that came with an export. */
export function checkpointsOf(source: Source): NoteFile[] {
  const names = source.names().filter((name) => /^checkpoints\/[^/]+$/.test(name));
  return names.sort().map((name) => ({
    name: name.slice('checkpoints/'.length),
    text: source.read(name)?.toString('utf8') ?? '',
  }));
}

/** The files of a folder that an auditor keeps. @throws UnreadableError when it cannot be read */
export function checkpointsIn(path: string): NoteFile[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    const names = entries.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort();
    return names.map((name) => ({ name, text: readFileSync(join(path, name), 'utf8') }));
  } catch (error) {
    throw new UnreadableError((error as Error).message);
  }
}

/**
 * Checks the signatures and the origin of checkpoints.
 *
 * @param given `dir` is the export that they came with; without it they are the auditor's own, where files may be named as
 *   he likes and others may lie
 */
export function loadCheckpoints(
  files: readonly NoteFile[],
  given: { origin: string; trusted: readonly Verifier[]; listed: readonly Verifier[]; dir: string | null },
): LoadedCheckpoints {
  const loaded: LoadedCheckpoints = { points: [], restores: [], findings: [], notes: [] };
  const { findings } = loaded;
  let others = 0;
  for (const { name, text: note } of files) {
    const label = `checkpoint ${name}`;
    const opened = openNote(note, given.trusted);
    const checkpoint = opened.text === null ? null : parseCheckpoint(opened.text);
    if (checkpoint === null) {
      if (given.dir !== null || name.endsWith('.txt'))
        findings.push(finding('checkpoint_forged', null, `${label} is not a checkpoint in a signed note`));
      continue;
    }
    if (checkpoint.origin !== given.origin) {
      findings.push(finding('foreign_checkpoint', null, `${label} is of another log: ${checkpoint.origin}`));
    } else if (opened.problem === 'unknown_key' && openNote(note, given.listed).problem === null) {
      others += 1;
    } else if (opened.problem !== null) {
      findings.push(finding('checkpoint_forged', null, `${label} ${PROBLEMS[opened.problem]}`));
    } else if (!opened.signers.some((signer) => signer.name === checkpoint.origin)) {
      findings.push(finding('checkpoint_forged', null, `${label} is not signed by a key of its log`));
    } else if (given.dir !== null && name !== checkpointName(checkpoint)) {
      findings.push(finding('checkpoint_forged', null, `${label} says that it is ${checkpointName(checkpoint)}`));
    } else {
      const { size, root, head, time, fork, restored } = checkpoint;
      loaded.points.push({ kind: 'checkpoint', size, root, head, time, fork, label, dir: given.dir });
      if (restored !== null) loaded.restores.push({ fork, ...restored });
    }
  }
  if (others > 0)
    loaded.notes.push(
      `${others} checkpoints of ${given.dir ?? 'your own'} are signed by keys that are not pinned, and were not used.`,
    );
  return loaded;
}

/** What the accepted restores leave valid of points of earlier forks. */
export function createForks(restores: readonly Restore[]) {
  const byFork = new Map<number, Restore>();
  for (const restore of restores) {
    const known = byFork.get(restore.fork);
    // One fork with two beginnings: the smaller one binds least, and whatever does not fit it shows as a mismatch.
    if (known === undefined || restore.kept < known.kept) byFork.set(restore.fork, restore);
  }
  /** Up to which size two forks are the same log: the least that was kept on the way from the earlier to the later. */
  function commonTo(one: number, other: number): number {
    const [earlier, later] = one < other ? [one, other] : [other, one];
    const between = [...byFork.values()].filter(({ fork }) => fork > earlier && fork <= later);
    return Math.min(...between.map(({ kept }) => kept), Number.MAX_SAFE_INTEGER);
  }
  /** Up to which size a statement made in that fork still holds. */
  const keptOf = (fork: number): number => commonTo(fork, Number.MAX_SAFE_INTEGER);
  return {
    keptOf,
    commonTo,
    binds: ({ fork, size }: Point): boolean => size <= keptOf(fork),
    all: [...byFork.values()].sort((a, b) => a.fork - b.fork),
  };
}

export type Forks = ReturnType<typeof createForks>;

/** Per size the earliest time that a checkpoint of at least this size names, ascending by size. */
export function deadlinesOf(points: readonly Point[]): { size: number; time: string }[] {
  const found: { size: number; time: string }[] = [];
  let earliest: string | undefined;
  const checkpoints = points.filter(({ kind, size }) => kind === 'checkpoint' && size > 0);
  for (const { size, time } of checkpoints.sort((a, b) => b.size - a.size)) {
    if (earliest === undefined || time < earliest) earliest = time;
    if (found[0]?.size === size) found[0].time = earliest;
    else found.unshift({ size, time: earliest });
  }
  return found;
}

/** The points of a folder's export manifest: where it begins and where it ends. */
export function pointsOfExport({ dir, manifest }: Folder, fork: number): { start: Point; end: Point } | null {
  if (manifest?.kind !== 'export') return null;
  const { from, to, start, head, root, createdAt } = manifest;
  const common = { kind: 'export', time: createdAt, fork, dir } as const;
  return {
    start: { ...common, size: from, head: start.prevHash, root: rootOf(start.range), label: `the beginning of ${dir}` },
    end: { ...common, size: to, head, root, label: `the end of ${dir}` },
  };
}

/** Which fork of the log an export is of: the latest that its checkpoints name. */
export function forkOf(dir: string, checkpoints: readonly Point[]): number {
  return checkpoints.reduce((latest, point) => (point.dir === dir ? Math.max(latest, point.fork) : latest), 0);
}
