import { type Chain, type ChainFolder, readChain } from './chain.ts';
import { createEntryCheck } from './check-entry.ts';
import { diagnose, MAX_DIAGNOSED } from './diagnose.ts';
import { checkEvidence, type EvidenceFolder } from './evidence.ts';
import { type Finding, finding, inOrder } from './finding.ts';
import { type Folder, openFolder } from './folder.ts';
import type { Verifier } from './note.ts';
import {
  checkpointsIn,
  checkpointsOf,
  createForks,
  deadlinesOf,
  type Forks,
  forkOf,
  loadCheckpoints,
  type Point,
  pointsOfExport,
  type Restore,
} from './points.ts';
import { createPool, type Pool } from './pool.ts';
import { compareWithPoints, findTruncation, uncovered } from './published.ts';

export interface VerifyOptions {
  dirs: readonly string[];
  /** Keys that the auditor knows from elsewhere; without any, those of keys.txt are believed. */
  pinned: readonly Verifier[];
  /** Base64. */
  auditKeys: readonly string[];
  /** A folder of checkpoints that the auditor kept himself. */
  checkpoints: string | null;
  threads: number;
  onStart?: (bytes: number) => void;
  onBytes?: (bytes: number) => void;
}

/** What verification found. `sound` is said only when there is no finding at all. */
export interface Verdict {
  verdict: 'sound' | 'not_sound';
  reason: string | null;
  firstInvalidSeq: number | null;
  detail: string | null;
  findings: Finding[];
  notes: string[];
  origin: string | null;
  exports: {
    dir: string;
    kind: 'export' | 'evidence';
    from: number | null;
    to: number | null;
    createdAt: string;
    /** Of evidence. */
    incident: EvidenceFolder['manifest']['incident'] | null;
  }[];
  /** Lines that were read and recomputed. */
  entries: number;
  /** Of them, entries in cold storage, of which an export has the seal and not the text. */
  archived: number;
  /** Of the export that reaches furthest. */
  head: string | null;
  root: string | null;
  keys: { pinned: boolean; vkeys: string[] };
  macs: 'checked' | 'not_checked';
  checkpoints: { given: number; agreed: number; abandoned: number; outside: number };
  restores: Restore[];
  pending: number;
}

/**
 * Verifies export folders and evidence bundles of one log.
 *
 * @throws UnreadableError when something that was to be read cannot be
 */
export async function verify(options: VerifyOptions): Promise<Verdict> {
  const folders = options.dirs.map((dir) => openFolder(dir, options.pinned));
  const findings = folders.flatMap((folder) => folder.findings);
  const notes = folders.flatMap((folder) => folder.notes);
  const origin = folders.find(({ manifest }) => manifest !== null)?.manifest?.origin ?? null;
  const own = folders.filter(({ manifest }) => manifest !== null && manifest.origin === origin);
  for (const { dir, manifest } of folders)
    if (manifest !== null && manifest.origin !== origin)
      findings.push(finding('foreign_export', null, `${dir} is of another log: ${manifest.origin}`));

  const loaded = own.map((folder) =>
    loadCheckpoints(checkpointsOf(folder.source), { ...folder, origin: origin as string }),
  );
  if (options.checkpoints !== null && origin !== null) {
    const trusted = unique(own.flatMap((folder) => folder.trusted));
    const listed = unique(own.flatMap((folder) => folder.listed));
    loaded.push(loadCheckpoints(checkpointsIn(options.checkpoints), { origin, trusted, listed, dir: null }));
  }
  findings.push(...loaded.flatMap((one) => one.findings));
  notes.push(...loaded.flatMap((one) => one.notes));
  const forks = createForks(loaded.flatMap(({ restores }) => restores));
  const checkpoints = oncePerCheckpoint(loaded.flatMap(({ points }) => points));

  const chains = own.filter((folder): folder is ChainFolder => folder.manifest?.kind === 'export');
  chains.sort((a, b) => a.manifest.from - b.manifest.from || a.manifest.to - b.manifest.to);
  const evidence = own.filter((folder): folder is EvidenceFolder => folder.manifest?.kind === 'evidence');
  const run: Run = { options, forks, checkpoints, chains };
  const read = await readChains(run);
  findings.push(...read.findings, ...gaps(run), ...findTruncation(run, read.chains), ...claims(own, options.auditKeys));
  let entries = read.chains.reduce((sum, { lines }) => sum + lines, 0);
  for (const folder of evidence) {
    const checked = await checkEvidence(folder, { points: checkpoints, auditKeys: options.auditKeys });
    findings.push(...checked.findings);
    entries += checked.entries;
  }

  const ordered = inOrder(findings);
  const [first] = ordered;
  const last = read.chains.at(-1);
  const outside = chains.length === 0 ? 0 : checkpoints.filter((point) => !read.agreed.has(point)).length;
  return {
    verdict: first === undefined ? 'sound' : 'not_sound',
    reason: first?.reason ?? null,
    firstInvalidSeq: first?.seq ?? null,
    detail: first?.detail ?? null,
    findings: ordered,
    notes: [
      ...notes,
      ...evidence.flatMap(cut),
      ...read.chains.flatMap(unnamed),
      ...uncovered(read.chains, [...read.agreed]),
      ...elsewhere(own),
    ],
    origin,
    exports: own.map(({ dir, manifest }) => exportOf(dir, manifest as NonNullable<Folder['manifest']>)),
    entries,
    archived: read.chains.reduce((sum, chain) => sum + chain.archived, 0),
    head: last?.end.hash ?? null,
    root: last?.root ?? null,
    keys: {
      pinned: options.pinned.length > 0,
      vkeys: unique(own.flatMap(({ signers }) => signers)).map(({ vkey }) => vkey),
    },
    macs: options.auditKeys.length > 0 ? 'checked' : 'not_checked',
    checkpoints: {
      given: checkpoints.length,
      agreed: read.agreed.size,
      abandoned: checkpoints.filter((point) => !forks.binds(point)).length,
      outside,
    },
    restores: forks.all,
    pending: pendingOf(chains.at(-1)?.manifest, ...evidence.map(({ manifest }) => manifest)),
  };
}

/** What one run looks at. */
export interface Run {
  options: VerifyOptions;
  forks: Forks;
  checkpoints: readonly Point[];
  chains: readonly ChainFolder[];
}

async function readChains(run: Run): Promise<{ chains: Chain[]; findings: Finding[]; agreed: Set<Point> }> {
  const { options, forks, checkpoints } = run;
  const bounds = run.chains.flatMap((folder) => pointsOfExport(folder, forkOf(folder.dir, checkpoints)) ?? []);
  const points = [...checkpoints, ...bounds.flatMap(({ start, end }) => [start, end])];
  const found = { chains: [] as Chain[], findings: [] as Finding[], agreed: new Set<Point>() };
  options.onStart?.(run.chains.reduce((sum, { files }) => sum + files.reduce((all, { bytes }) => all + bytes, 0), 0));
  const pool: Pool = createPool(options.threads, options.onBytes ?? (() => {}));
  try {
    for (const folder of run.chains) {
      const fork = forkOf(folder.dir, checkpoints);
      const chain = await readChain(folder, {
        points: points.filter((point) => point.size <= forks.commonTo(point.fork, fork)),
        deadlines: deadlinesOf(checkpoints.filter((point) => point.size <= forks.commonTo(point.fork, fork))),
        auditKeys: options.auditKeys,
        pool,
      });
      found.chains.push(chain);
      const diagnosed = [...chain.findings, ...(await diagnose(chain, forks, pool))];
      const compared = compareWithPoints(chain, diagnosed);
      found.findings.push(...diagnosed, ...compared.findings);
      for (const point of compared.agreed) if (point.kind === 'checkpoint') found.agreed.add(point);
    }
  } finally {
    await pool.close();
  }
  return found;
}

/** Entries between two exports that are in neither. */
function gaps({ chains, checkpoints, forks }: Run): Finding[] {
  const found: Finding[] = [];
  let reach: number | undefined;
  for (const { dir, manifest } of chains) {
    if (reach !== undefined && manifest.from > reach) {
      const detail = `entries ${reach} to ${manifest.from - 1} are in none of the folders`;
      found.push(finding('range_missing', reach, detail));
    }
    reach = Math.max(reach ?? 0, Math.min(manifest.to, forks.keptOf(forkOf(dir, checkpoints))));
  }
  return found;
}

/** Months in cold storage whose archives were not given. */
function elsewhere(folders: readonly Folder[]): string[] {
  const given = new Set(folders.map(({ manifestSha256 }) => manifestSha256));
  const months = new Map<string, string>();
  for (const { manifest } of folders) {
    for (const { month, entries, manifestSha256 } of manifest?.kind === 'export' ? manifest.archived : []) {
      if (given.has(manifestSha256)) continue;
      const where = `in the archive whose manifest has the SHA-256 ${manifestSha256}: give that folder as well to have them read`;
      months.set(manifestSha256, `Of ${month} (${entries} entries) the seals were checked, the texts are ${where}.`);
    }
  }
  return [...months.values()];
}

/** What the exporter found and signed, and the entries that were not sealed yet. */
function claims(folders: readonly Folder[], auditKeys: readonly string[]): Finding[] {
  const { isEntryGenuine } = createEntryCheck(auditKeys);
  return folders.flatMap(({ dir, manifest }) => {
    if (manifest === null) return [];
    const found: Finding[] = [];
    const { verification } = manifest;
    if (verification !== null && !verification.valid) {
      const { reason, firstInvalidSeq } = verification;
      const detail = `found and signed by the exporter of ${dir}, who holds the audit key`;
      found.push({ reason: reason ?? 'not_sound', seq: firstInvalidSeq, detail, by: 'exporter' });
    }
    for (const { seq, reason } of manifest.kind === 'evidence' ? manifest.damaged : []) {
      if (verification?.firstInvalidSeq === seq && verification.reason === reason) continue;
      found.push({ reason, seq, detail: `found and signed by the exporter of ${dir}`, by: 'exporter' });
    }
    for (const { id, entry, entryHmac, genuine } of manifest.pending) {
      if (auditKeys.length > 0 && !isEntryGenuine(entry, entryHmac))
        found.push(finding('changed_before_sealing', null, `the MAC of entry ${id}, not sealed yet, is wrong`));
      else if (!genuine) {
        const detail = `the exporter found the MAC of entry ${id}, not sealed yet, wrong`;
        found.push({ reason: 'changed_before_sealing', seq: null, detail, by: 'exporter' });
      }
    }
    return found;
  });
}

/** Entries that had no seal, each once. */
function pendingOf(...manifests: (Folder['manifest'] | undefined)[]): number {
  return new Set(manifests.flatMap((manifest) => manifest?.pending.map(({ id }) => id) ?? [])).size;
}

/** That more belongs to the incident than is in the bundle. */
function cut({ dir, manifest: { entries, selection } }: EvidenceFolder): string[] {
  const { found, truncated, inColdStorage } = selection;
  return [
    ...(truncated ? [`${dir} was cut: it has ${entries} of ${found} entries that belong to the incident.`] : []),
    ...inColdStorage.map((month) => `${dir} has nothing of ${month}, which was in cold storage.`),
  ];
}

/** That there is more than was looked at one by one. */
function unnamed({ anomalous, folder }: Chain): string[] {
  if (anomalous <= MAX_DIAGNOSED) return [];
  return [`${anomalous} lines of ${folder.dir} are wrong in something; the first ${MAX_DIAGNOSED} were named.`];
}

function exportOf(dir: string, manifest: NonNullable<Folder['manifest']>): Verdict['exports'][number] {
  const [from, to] = manifest.kind === 'export' ? [manifest.from, manifest.to] : [null, null];
  const incident = manifest.kind === 'evidence' ? manifest.incident : null;
  return { dir, kind: manifest.kind, from, to, createdAt: manifest.createdAt, incident };
}

function unique(verifiers: readonly Verifier[]): Verifier[] {
  return [...new Map(verifiers.map((verifier) => [verifier.vkey, verifier])).values()];
}

/** Several exports carry the same checkpoints; the copy that came with an export tells that it was known by then. */
function oncePerCheckpoint(points: readonly Point[]): Point[] {
  const seen = new Map<string, Point>();
  for (const point of points) {
    const { fork, size, root, head, time, dir } = point;
    const key = [fork, size, root, head, time, dir].join(' ');
    if (!seen.has(key)) seen.set(key, point);
  }
  return [...seen.values()];
}
