import type { Symptom } from './check-entry.ts';
import type { Anomaly, FileResult } from './check-file.ts';
import { type Finding, finding } from './finding.ts';
import type { Folder } from './folder.ts';
import { genesisOf } from './hashes.ts';
import type { ExportManifest, ListedFile } from './manifest.ts';
import type { Point } from './points.ts';
import type { Pool } from './pool.ts';
import { createRepeatedIds } from './repeated-ids.ts';
import { createSubtrees, rootOf, type Subtree, subtreesOf } from './tree.ts';

/** An export whose manifest could be read. */
export type ChainFolder = Folder & { manifest: ExportManifest };

/** An anomaly with its place among all lines of the export, from 0. */
export type PlacedAnomaly = Anomaly & { at: number };

/** What one export's lines are, before anything is named. */
export interface Chain {
  folder: ChainFolder;
  /** Lines read. */
  lines: number;
  /** What the first line has to link to. */
  start: { seq: number; hash: string };
  end: { seq: number; hash: string };
  root: string;
  anomalies: PlacedAnomaly[];
  anomalous: number;
  /** Points at sizes of this export, with what its lines say there; null where no line ends there. */
  judged: { point: Point; head: string | null; root: string | null }[];
  firstLate: number | null;
  restores: string[];
  repeatedIds: string[];
  /** Lines without a text, of entries in cold storage. */
  archived: number;
  /** Files as read, with the number of lines before each. */
  files: { path: string; before: number; lines: number }[];
  findings: Finding[];
  /** What comes next has nothing to link to: the file before it is missing, or cannot be read to its end. */
  isTorn: boolean;
}

/**
 * Reads the files of one export in parallel and joins what they say.
 *
 * @param points statements about sizes of this log; those outside the export are passed over
 * @throws UnreadableError when a file that is there cannot be read
 */
export async function readChain(
  folder: ChainFolder,
  given: {
    points: readonly Point[];
    deadlines: readonly { size: number; time: string }[];
    auditKeys: readonly string[];
    pool: Pool;
  },
): Promise<Chain> {
  const { manifest } = folder;
  const { from, to, start } = manifest;
  const range = subtreesOf(from, start.range);
  const chain: Chain = {
    folder,
    lines: 0,
    start: { seq: from - 1, hash: from === 0 ? genesisOf(manifest.origin) : start.prevHash },
    end: { seq: from - 1, hash: start.prevHash },
    root: '',
    anomalies: [],
    anomalous: 0,
    judged: [],
    firstLate: null,
    restores: [],
    repeatedIds: [],
    archived: 0,
    files: [],
    findings: [],
    isTorn: false,
  };
  chain.end = { ...chain.start };
  if (range === null || (from === 0 && start.prevHash !== chain.start.hash))
    chain.findings.push(finding('malformed', null, `${folder.dir}: what the manifest says of its start fits no log`));

  const within = given.points.filter(({ size }) => size >= from && size <= to);
  const tree = treeFrom(range ?? []);
  const atSize = new Map<number, { head: string; root: string }>();
  atSize.set(from, { head: chain.start.hash, root: rootOf((range ?? []).map(({ hash }) => hash)) });

  const ids = createRepeatedIds(to - from);
  const sizes = [...new Set(within.map(({ size }) => size))].sort((a, b) => a - b);
  const results = folder.files.map((file, index) => {
    const end = folder.files[index + 1]?.from ?? to;
    const result = given.pool.check({
      path: file.path,
      first: file.from,
      sizes: sizes.filter((size) => size > file.from && size <= end),
      deadlines: relevant(given.deadlines, file.from, end),
      archived: manifest.archived,
      auditKeys: given.auditKeys,
    });
    // The first that fails is thrown where it is awaited.
    result.catch(() => {});
    return { file, result };
  });
  for (const { file, result } of results) {
    const read = await result;
    join(chain, file, read);
    ids.add(read.ids);
    for (const { size, head, subtrees } of read.segments) {
      for (const subtree of subtrees) tree.push(subtree);
      if (sizes.includes(size) || size === to) atSize.set(size, { head, root: tree.root() });
    }
  }
  chain.root = tree.root();
  chain.repeatedIds = ids.candidates();
  chain.judged = within.map((point) => {
    const seen = atSize.get(point.size);
    return { point, head: seen?.head ?? null, root: seen?.root ?? null };
  });
  if (chain.end.seq + 1 < to && folder.files.length === manifest.files.length) {
    const detail = `the manifest speaks of ${to} entries, the lines end behind entry ${chain.end.seq}`;
    chain.findings.push(finding('tail_truncated', chain.end.seq + 1, detail));
  }
  return chain;
}

function treeFrom(range: readonly Subtree[]) {
  const tree = createSubtrees();
  for (const subtree of range) tree.push(subtree);
  return tree;
}

/** The deadlines of sizes in a file, and the one that holds for its last lines. */
function relevant(deadlines: readonly { size: number; time: string }[], from: number, end: number) {
  const first = deadlines.findIndex(({ size }) => size > from);
  if (first < 0) return [];
  const last = deadlines.findIndex(({ size }) => size >= end);
  return deadlines.slice(first, last < 0 ? undefined : last + 1);
}

/** Appends a file: what its first line is beside the last line before it, and whether it is the file of the manifest. */
function join(chain: Chain, file: ListedFile & { path: string }, read: FileResult): void {
  const { findings, end } = chain;
  if (
    chain.folder.findings.some(
      ({ reason, seq }) => reason === 'file_missing' && (seq ?? 0) < file.from && (seq ?? 0) > end.seq,
    )
  )
    chain.isTorn = true;
  const at = read.last === null ? file.from : read.last.seq + 1;
  if (read.bytes !== file.bytes || read.sha256 !== file.sha256) {
    const detail = `${file.name} is not the file that the manifest names: its digest differs`;
    const problem = read.problem === null ? '' : `, and it is ${read.problem}`;
    findings.push(finding('file_changed', read.problem === null ? null : at, `${detail}${problem}`));
  } else if (read.problem !== null) {
    findings.push(finding('malformed', at, `${file.name} is ${read.problem}`));
  } else if (read.lines !== file.count) {
    const detail = `${file.name} has ${read.lines} lines, the manifest says ${file.count}`;
    findings.push(finding('malformed', null, detail));
  }

  const anomalies = read.anomalies.map((anomaly) => ({ ...anomaly, at: chain.lines + anomaly.index }));
  chain.anomalous += read.anomalous;
  const { first, last } = read;
  if (first !== null) {
    let own = anomalies[0]?.index === 0 ? anomalies[0] : undefined;
    const symptoms: Symptom[] = own?.symptoms.filter((symptom) => symptom !== 'number') ?? [];
    if (!chain.isTorn && first.seq !== end.seq + 1) symptoms.push('number');
    if (!chain.isTorn && first.prevHash !== end.hash) symptoms.push('link');
    if (own === undefined && symptoms.length > 0) {
      const { seq, prevHash, hash, leafHash } = first;
      own = { seq, index: 0, at: chain.lines, symptoms, column: null, prevHash, hash, leafHash, leaf: leafHash };
      anomalies.unshift(own);
      chain.anomalous += 1;
    } else if (own !== undefined) own.symptoms = symptoms;
  }
  chain.anomalies.push(...anomalies.filter(({ symptoms }) => symptoms.length > 0));
  chain.files.push({ path: file.path, before: chain.lines, lines: read.lines });
  chain.lines += read.lines;
  chain.archived += read.archived;
  chain.isTorn = read.problem !== null;
  if (last !== null) chain.end = { seq: last.seq, hash: last.hash };
  if (read.firstLate !== null) chain.firstLate ??= read.firstLate;
  chain.restores.push(...read.restores);
}
