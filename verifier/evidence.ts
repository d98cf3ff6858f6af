import type { PlacedAnomaly } from './chain.ts';
import { createEntryCheck } from './check-entry.ts';
import { besides, isStructural, oncePerReason } from './diagnose.ts';
import { type Finding, finding } from './finding.ts';
import type { Folder } from './folder.ts';
import { type Line, parseLine } from './line.ts';
import type { EvidenceManifest } from './manifest.ts';
import type { Point } from './points.ts';
import { readLines } from './reading.ts';
import { isIncluded } from './tree.ts';

/** An evidence bundle whose manifest could be read. */
export type EvidenceFolder = Folder & { manifest: EvidenceManifest };

/**
 * Checks single entries: each by itself, and that its proof leads to the bundle's checkpoint.
 *
 * @param points the checkpoint of the bundle; its signature was checked
 * @throws errors of the file system
 */
export async function checkEvidence(
  folder: EvidenceFolder,
  given: { points: readonly Point[]; auditKeys: readonly string[] },
): Promise<{ entries: number; findings: Finding[] }> {
  const { tree, findings } = treeOf(folder, given.points);
  const { check } = createEntryCheck(given.auditKeys);
  let entries = 0;
  let before: Line | null = null;

  function take(text: string): boolean {
    const line = parseLine(text);
    if (line === null) return false;
    entries += 1;
    const { symptoms, column, leaf } = check(line);
    const anomaly: PlacedAnomaly = { ...line, symptoms: [...symptoms], column, leaf, index: 0, at: 0 };
    if (tree !== null && !isProven(line, leaf, tree)) anomaly.symptoms.push('proof');
    findings.push(...named(anomaly));
    if (before !== null && line.seq <= before.seq)
      findings.push(finding('malformed', line.seq, 'the entries of a bundle are not in order'));
    // Between neighbours the chain holds as well.
    if (before !== null && line.seq === before.seq + 1 && line.prevHash !== before.hash)
      findings.push(finding('entry_changed', before.seq, `entry ${line.seq} does not link to it`));
    before = line;
    return findings.length < MAX_FINDINGS;
  }

  for (const file of folder.files) {
    const read = await readLines(folder.source.open(file.at), take, () => {}, MAX_UNPACKED_BYTES);
    if (read.bytes !== file.bytes || read.sha256 !== file.sha256)
      findings.push(finding('file_changed', null, `${file.name} is not the file that the manifest names`));
    else if (read.problem !== null) findings.push(finding('malformed', null, `${file.name} is ${read.problem}`));
    else if (read.lines !== file.count)
      findings.push(finding('malformed', null, `${file.name} has not as many entries as the manifest says`));
  }
  const { entries: listed } = folder.manifest;
  if (listed !== entries)
    findings.push(finding('malformed', null, `the manifest speaks of ${listed} entries, there are ${entries}`));
  return { entries, findings: oncePerReason(findings) };
}

const MAX_FINDINGS = 1_000;
/** Of the entries of a bundle: twenty thousand are some 30 MB. */
const MAX_UNPACKED_BYTES = 512 * 1024 * 1024;

type Tree = NonNullable<EvidenceManifest['tree']>;

/**
 * What the proofs have to lead to. A bundle of a log that contradicts what is published has no checkpoint, and a log whose
 * tree is damaged no proofs: both only where its exporter says that the log is not sound, which is a finding of its own.
 */
function treeOf(
  { dir, manifest }: EvidenceFolder,
  points: readonly Point[],
): { tree: Tree | null; findings: Finding[] } {
  const { tree, checkpoint, verification, entries } = manifest;
  const isToldUnsound = verification?.valid === false;
  const said = (text: string) => finding('checkpoint_forged', null, `${dir} ${text}`);
  if (checkpoint === null) {
    const isAllowed = entries === 0 || isToldUnsound;
    return { tree, findings: isAllowed ? [] : [said('has no checkpoint that its proofs could lead to')] };
  }
  const point = points.find((one) => one.dir === dir && one.size === tree?.size);
  if (point === undefined)
    return { tree, findings: [said(`has no checkpoint ${checkpoint}, which its proofs lead to`)] };
  if (point.root === tree?.root && point.head === tree.head) return { tree, findings: [] };
  // The manifest is the exporter's word, the checkpoint was published.
  const detail = `the manifest of ${dir} names another tree than checkpoint ${checkpoint}`;
  return { tree: point, findings: [finding('tree_changed', null, detail)] };
}

/** The proof is that of the text itself, so a leaf that was changed with it proves nothing. */
function isProven(line: Line, leaf: string | null, { size, root }: Tree): boolean {
  const proof = (line.proof ?? []).map((part) => Buffer.from(part, 'base64').toString('hex'));
  return isIncluded({ leaf: leaf ?? line.leafHash, index: line.seq, size, root, proof });
}

function named(anomaly: PlacedAnomaly): Finding[] {
  const { seq, symptoms } = anomaly;
  if (symptoms.includes('gone')) return [finding('entry_deleted', seq, 'its seal is there, the entry is gone')];
  if (symptoms.includes('text')) return [finding('entry_changed', seq, 'its text is not what its hash was made of')];
  if (isStructural(anomaly)) return [finding('column_changed', seq, 'a hash beside it was changed')];
  return besides(anomaly);
}
