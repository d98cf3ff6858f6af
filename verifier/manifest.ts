import { type Json, parseCanonical } from './canonical.ts';
import { TIME } from './checkpoint.ts';
import { isHash } from './hashes.ts';
import { isPathWithin } from './source.ts';

/** A file that the manifest vouches for. */
export interface ListedFile {
  name: string;
  /** The sequence number of its first line. */
  from: number;
  count: number;
  bytes: number;
  sha256: string;
}

export interface ExporterFinding {
  valid: boolean;
  checked: number;
  firstInvalidSeq: number | null;
  reason: string | null;
  macs: boolean;
}

export interface PendingEntry {
  id: string;
  entry: string;
  entryHmac: string;
  genuine: boolean;
}

interface Common {
  origin: string;
  createdAt: string;
  files: ListedFile[];
  verification: ExporterFinding | null;
}

/** A month in cold storage: of the lines `from` to `to` (exclusive) those whose id is from `firstId` on and below `endId`. */
export interface ArchivedMonth {
  month: string;
  from: number;
  to: number;
  firstId: string;
  endId: string;
  entries: number;
  /** Of the manifest of its archive. */
  manifestSha256: string;
}

/** Of entries `from` to `to` (exclusive). */
export interface ExportManifest extends Common {
  kind: 'export';
  from: number;
  to: number;
  /** Entries that the log had when it was exported; `to` where the manifest does not say. */
  logSize: number;
  start: { prevHash: string; range: string[] };
  head: string;
  root: string;
  eras: { era: number; cluster: string; startedAt: string }[];
  /** Months whose entries were not in the database any more; those of their archives that were given have them. */
  archived: ArchivedMonth[];
  pending: PendingEntry[];
}

/** Of single entries with their proofs. */
export interface EvidenceManifest extends Common {
  kind: 'evidence';
  /** Lines. */
  entries: number;
  incident: { id: string; cause: string };
  /** What was looked for, and how many entries there were; the bundle has fewer where it was cut. */
  selection: { from: string; to: string; found: number; truncated: boolean; inColdStorage: string[] };
  /** Name of the checkpoint that came with it; null where the log contradicts what is published. */
  checkpoint: string | null;
  /** What the proofs lead to; null where the exporter could prove nothing. */
  tree: { size: number; root: string; head: string } | null;
  /** Entries of the bundle that the exporter found wrong. */
  damaged: { seq: number; reason: string }[];
  /** Entries that had no seal. */
  pending: PendingEntry[];
}

export type Manifest = ExportManifest | EvidenceManifest;

type Members = { [key: string]: Json };

class ManifestError extends Error {}

/** Reads a manifest. @returns what it says, or a sentence on what it is not */
export function parseManifest(text: string): Manifest | string {
  const value = parseCanonical(text.endsWith('\n') ? text.slice(0, -1) : text);
  if (value === undefined) return 'is not canonical JSON';
  try {
    const members = object(value, 'the manifest');
    if (members.v !== 1) throw new ManifestError('its version is not 1');
    const common = {
      origin: nonEmpty(members.origin, 'origin'),
      createdAt: time(members.createdAt, 'createdAt'),
      files: list(members.files, 'files').map(listedFile),
      verification: members.verification === undefined ? null : exporterFinding(members.verification),
    };
    if (members.kind === 'evidence') {
      return evidenceManifest(common, members);
    }
    if (members.kind !== 'export') throw new ManifestError('its kind is neither export nor evidence');
    return exportManifest(common, members);
  } catch (error) {
    if (error instanceof ManifestError) return error.message;
    throw error;
  }
}

function exportManifest(common: Common, members: Members): ExportManifest {
  const start = object(members.start, 'start');
  const [from, to] = [number(members.from, 'from'), number(members.to, 'to')];
  if (from > to) throw new ManifestError('from is greater than to');
  return {
    ...common,
    kind: 'export',
    from,
    to,
    logSize: members.logSize === undefined ? to : number(members.logSize, 'logSize'),
    start: {
      prevHash: hash(start.prevHash, 'start.prevHash'),
      range: list(start.range, 'start.range').map((item) => hash(item, 'start.range')),
    },
    head: hash(members.head, 'head'),
    root: hash(members.root, 'root'),
    eras: list(members.eras, 'eras').map((item) => {
      const era = object(item, 'eras');
      return {
        era: number(era.era, 'era'),
        cluster: nonEmpty(era.cluster, 'cluster'),
        startedAt: time(era.startedAt, 'startedAt'),
      };
    }),
    archived: list(members.archived ?? [], 'archived').map(archivedMonth),
    pending: list(members.pending, 'pending').map(pendingEntry),
  };
}

function evidenceManifest(common: Common, members: Members): EvidenceManifest {
  const incident = object(members.incident, 'incident');
  const selection = object(members.selection, 'selection');
  const tree = members.tree === null ? null : object(members.tree, 'tree');
  return {
    ...common,
    kind: 'evidence',
    entries: number(members.entries, 'entries'),
    incident: { id: nonEmpty(incident.id, 'incident.id'), cause: nonEmpty(incident.cause, 'incident.cause') },
    selection: {
      from: time(selection.from, 'selection.from'),
      to: time(selection.to, 'selection.to'),
      found: number(selection.found, 'selection.found'),
      truncated: selection.truncated === true,
      inColdStorage: list(selection.inColdStorage, 'selection.inColdStorage').map((month) =>
        nonEmpty(month, 'selection.inColdStorage'),
      ),
    },
    checkpoint: members.checkpoint === null ? null : nonEmpty(members.checkpoint, 'checkpoint'),
    tree: tree && {
      size: number(tree.size, 'tree.size'),
      root: hash(tree.root, 'tree.root'),
      head: hash(tree.head, 'tree.head'),
    },
    damaged: list(members.damaged, 'damaged').map((item) => {
      const found = object(item, 'damaged');
      return { seq: number(found.seq, 'damaged.seq'), reason: nonEmpty(found.reason, 'damaged.reason') };
    }),
    pending: list(members.pending, 'pending').map(pendingEntry),
  };
}

function pendingEntry(item: Json): PendingEntry {
  const entry = object(item, 'pending');
  return {
    id: nonEmpty(entry.id, 'pending.id'),
    entry: nonEmpty(entry.entry, 'pending.entry'),
    entryHmac: hash(entry.entryHmac, 'pending.entryHmac'),
    genuine: entry.genuine === true,
  };
}

function archivedMonth(item: Json): ArchivedMonth {
  const month = object(item, 'archived');
  return {
    month: nonEmpty(month.month, 'archived.month'),
    from: number(month.from, 'archived.from'),
    to: number(month.to, 'archived.to'),
    firstId: nonEmpty(month.firstId, 'archived.firstId'),
    endId: nonEmpty(month.endId, 'archived.endId'),
    entries: number(month.entries, 'archived.entries'),
    manifestSha256: hash(month.manifestSha256, 'archived.manifestSha256'),
  };
}

function listedFile(item: Json): ListedFile {
  const file = object(item, 'files');
  const name = nonEmpty(file.name, 'files.name');
  // Nothing outside the folder is ever opened.
  if (!isPathWithin(name)) throw new ManifestError('a file has a name that is no path within');
  return {
    name,
    from: file.from === undefined ? 0 : number(file.from, 'files.from'),
    count: number(file.count, 'files.count'),
    bytes: number(file.bytes, 'files.bytes'),
    sha256: hash(file.sha256, 'files.sha256'),
  };
}

function exporterFinding(item: Json): ExporterFinding {
  const found = object(item, 'verification');
  if (typeof found.valid !== 'boolean') throw new ManifestError('verification.valid is not true or false');
  return {
    valid: found.valid,
    checked: found.checked === undefined ? 0 : number(found.checked, 'verification.checked'),
    firstInvalidSeq: found.firstInvalidSeq == null ? null : number(found.firstInvalidSeq, 'firstInvalidSeq'),
    reason: found.reason == null ? null : nonEmpty(found.reason, 'verification.reason'),
    macs: found.macs === true,
  };
}

function object(value: Json | undefined, name: string): Members {
  if (value === undefined || value === null || typeof value !== 'object' || Array.isArray(value))
    throw new ManifestError(`${name} is not an object`);
  return value;
}

function list(value: Json | undefined, name: string): Json[] {
  if (!Array.isArray(value)) throw new ManifestError(`${name} is not a list`);
  return value;
}

function number(value: Json | undefined, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new ManifestError(`${name} is not a whole number`);
  return value;
}

function nonEmpty(value: Json | undefined, name: string): string {
  if (typeof value !== 'string' || value === '') throw new ManifestError(`${name} is not a text`);
  return value;
}

function hash(value: Json | undefined, name: string): string {
  if (!isHash(value)) throw new ManifestError(`${name} is not a hash`);
  return value;
}

function time(value: Json | undefined, name: string): string {
  if (typeof value !== 'string' || !TIME.test(value)) throw new ManifestError(`${name} is not a time in microseconds`);
  return value;
}
