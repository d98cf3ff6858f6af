import type { Chain } from './chain.ts';
import { type Finding, finding } from './finding.ts';
import { forkOf, type Point, pointsOfExport } from './points.ts';
import type { Run } from './verify.ts';

/** Findings that leave a point nothing to say beyond: the lines before it are not all there as they were. */
const EXPLAINING: readonly string[] = [
  ...['entry_changed', 'entry_deleted', 'entry_inserted', 'entries_swapped', 'sequence_gap', 'tail_truncated'],
  ...['file_missing', 'file_changed', 'malformed'],
];

/**
 * Compares an export with what was published or signed about it elsewhere. A chain whose hashes are all right by themselves
 * and that still differs from what was published was made anew.
 */
export function compareWithPoints(chain: Chain, known: readonly Finding[]): { findings: Finding[]; agreed: Point[] } {
  const agreed: Point[] = [];
  const differing: Point[] = [];
  const findings: Finding[] = [];
  const { dir } = chain.folder;
  const missing = chain.folder.findings;
  const bySize = [...chain.judged].sort((a, b) => a.point.size - b.point.size);
  for (const { point, head, root } of bySize) {
    // Where only the hash beside the last entry was changed, the tree over the texts still tells.
    const isHashBeside = chain.anomalies.some(
      ({ symptoms, seq }) => symptoms.includes('hash') && seq === point.size - 1,
    );
    if (root === point.root && (head === point.head || isHashBeside)) {
      agreed.push(point);
      continue;
    }
    const isExplained = [...known, ...missing].some(
      ({ reason, seq }) => EXPLAINING.includes(reason) && (seq === null || seq < point.size),
    );
    if (isExplained || head === null) continue;
    const isOwn = point.kind === 'export' && point.dir === dir;
    if (head === point.head) {
      // The exporter's root is over the leaves as they are stored.
      if (isOwn && chain.anomalies.some(({ symptoms, seq }) => symptoms.includes('leaf') && seq < point.size)) continue;
      const detail = `the hashes lead to ${point.label}, but its tree was made over other leaves`;
      findings.push(finding('tree_changed', null, detail));
    } else if (isOwn) {
      findings.push(
        finding('head_mismatch', point.size - 1, 'the manifest names another last hash than the lines have'),
      );
    } else differing.push(point);
  }
  const [first] = differing;
  if (first !== undefined) findings.push(rewritten(chain, first, differing.length - 1, agreed));
  return { findings, agreed };
}

function rewritten(chain: Chain, first: Point, others: number, agreed: readonly Point[]): Finding {
  const more = others === 0 ? '' : ` and ${others} more`;
  const late = chain.firstLate;
  if (late !== null && late < first.size) {
    const detail =
      `${first.label}${more} covered ${first.size} entries by ${first.time}, but entry ${late} was sealed later: ` +
      'the end was cut off and written anew';
    return finding('tail_rewritten', late, `${detail}${restoreOnRecord(chain, first.time)}`);
  }
  const since = agreed.reduce((size, point) => (point.size < first.size ? Math.max(size, point.size) : size), 0);
  const from = Math.max(since, chain.folder.manifest.from);
  const detail =
    `every hash fits the next, but not ${first.label}${more}: the entries from ${from} on, which nothing published ` +
    `confirms, were made anew`;
  return finding('history_rewritten', from, detail);
}

function restoreOnRecord(chain: Chain, since: string): string {
  return isRestoredSince(chain, since) ? ' (a restore is on record since)' : '';
}

/** The database says of itself that it was restored after that time: a newer era, or the entry that a restore leaves. */
function isRestoredSince({ folder, restores }: Chain, time: string): boolean {
  return restores.some((at) => at > time) || folder.manifest.eras.some(({ startedAt }) => startedAt > time);
}

/** Whether the log is shorter than a checkpoint, or an earlier export, said before the latest export was made. */
export function findTruncation({ checkpoints, forks }: Run, chains: readonly Chain[]): Finding[] {
  const [latest] = [...chains].sort((a, b) => {
    const [one, other] = [a.folder.manifest, b.folder.manifest];
    if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? 1 : -1;
    return other.logSize - one.logSize;
  });
  if (latest === undefined) return [];
  const { dir, manifest } = latest.folder;
  const fork = forkOf(dir, checkpoints);
  const ends = chains.flatMap(({ folder }) => pointsOfExport(folder, forkOf(folder.dir, checkpoints))?.end ?? []);
  const [longest] = [...checkpoints, ...ends]
    .filter((point) => point.size > manifest.logSize && point.size <= forks.commonTo(point.fork, fork))
    .filter((point) => point.dir === dir || point.time <= manifest.createdAt)
    .sort((a, b) => b.size - a.size);
  if (longest === undefined) return [];
  const detail = `${longest.label} of ${longest.time} covers ${longest.size} entries, the log has ${manifest.logSize}`;
  return isRestoredSince(latest, longest.time)
    ? [finding('restored_without_tail', manifest.logSize, `${detail}; a restore is on record since`)]
    : [finding('tail_truncated', manifest.logSize, detail)];
}

/** What no published checkpoint confirms, in sentences. */
export function uncovered(chains: readonly Chain[], agreed: readonly Point[]): string[] {
  const [first] = chains;
  const last = chains.at(-1);
  if (first === undefined || last === undefined) return [];
  const from = first.folder.manifest.from;
  const end = last.end.seq + 1;
  const confirmed = agreed.reduce((size, point) => Math.max(size, point.size), 0);
  if (end === from) return [];
  if (confirmed <= from)
    return ['No checkpoint lies within these entries: a log that was made anew as a whole would look the same.'];
  return confirmed < end
    ? [`Entries ${confirmed} to ${end - 1} are newer than the last checkpoint that was found.`]
    : [];
}
