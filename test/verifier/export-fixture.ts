import { createHash, createHmac, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/**
 * Writes exports from nothing but their description in docs/audit-verification.md, with a tree hashed as the definition
 * has it (RFC 9162 section 2.1.1): what it agrees on with the verifier, two readers of the document understood alike.
 */
export const ORIGIN = 'tradeguard.local/5f0c6b1e-1f7e-4c55-9d5c-0d1d6c1f7a10';
export const AUDIT_KEY = Buffer.alloc(32, 7);

const sha = (...parts: (string | Buffer)[]): Buffer => {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return digest.digest();
};

export interface Row {
  seq: number;
  entry: string | null;
  prevHash: string;
  hash: string;
  leafHash: string;
  entryHmac: string | null;
  id: string;
  n: string;
  era: number;
  xid: string;
  sealedAt: string;
  horizon: string | null;
  sealHmac: string;
  columns: Record<string, string | null> | null;
  proof?: string[];
}

/** A signing key from a seed, so that a run can be repeated. */
export function signer(seed = 1, name = ORIGIN) {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, seed)]);
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const key = Buffer.concat([Buffer.of(1), spki.subarray(-32)]);
  const keyId = sha(`${name}\n`, key).subarray(0, 4);
  return { name, privateKey, keyId, vkey: `${name}+${keyId.toString('hex')}+${key.toString('base64')}` };
}
export type Signer = ReturnType<typeof signer>;

export function note(text: string, { name, privateKey, keyId }: Signer): string {
  const signature = sign(null, Buffer.from(text), privateKey as KeyObject);
  return `${text}\n\u2014 ${name} ${Buffer.concat([keyId, signature]).toString('base64')}\n`;
}

const time = (second: number): string =>
  `${new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString().slice(0, -1)}000Z`;

const uuid = (seq: number): string => {
  const random = sha(`id ${seq}`).toString('hex');
  return `0190${random.slice(0, 4)}-${random.slice(4, 8)}-7${random.slice(9, 12)}-8${random.slice(13, 16)}-${random.slice(16, 28)}`;
};

/** The text of entry `seq`, keys in canonical order. */
export function entryText(seq: number, over: Record<string, unknown> = {}): string {
  const members: Record<string, unknown> = {
    action: 'login.succeeded',
    actor: { id: `user-${seq % 7}`, kind: 'user' },
    at: time(seq),
    details: { amount: '250.00', note: 'Größe "ü" €' },
    id: uuid(seq),
    ip: null,
    outcome: 'success',
    requestId: null,
    severity: 'info',
    subject: { id: `account-${seq % 5}`, kind: 'account' },
    userAgent: 'Mozilla/5.0',
    v: 1,
    workflowId: null,
    ...over,
  };
  return JSON.stringify(Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1))));
}

export const genesis = (origin = ORIGIN): string => sha(`tradeguard-log/v1\n${origin}`).toString('hex');

/** Gives a row what its text asks for behind a previous hash, with the MACs of that key. */
export function seal(row: Row, prevHash: string, key: Buffer = AUDIT_KEY): Row {
  const entry = row.entry as string;
  row.prevHash = prevHash;
  row.hash = sha(Buffer.from(prevHash, 'hex'), entry).toString('hex');
  row.leafHash = sha(Buffer.of(0), entry).toString('hex');
  row.entryHmac = createHmac('sha256', key).update(entry).digest('hex');
  return sealMac(row, key);
}

function sealMac(row: Row, key: Buffer): Row {
  const hex = (text: string) => Buffer.from(text, 'hex');
  const parts = ['tradeguard-seal/v1', String(row.seq), row.id, row.n, String(row.era), row.xid].map((part) =>
    Buffer.from(part),
  );
  parts.push(
    hex(row.prevHash),
    hex(row.hash),
    hex(row.leafHash),
    Buffer.from(row.sealedAt),
    Buffer.from(row.horizon ?? ''),
  );
  const mac = createHmac('sha256', key);
  for (const part of parts) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    mac.update(Buffer.concat([length, part]));
  }
  row.sealHmac = mac.digest('hex');
  return row;
}

export function columnsOf(entry: string): Record<string, string | null> {
  const { id, at, action, actor, subject, outcome, severity } = JSON.parse(entry);
  return {
    id,
    at,
    action,
    actor: actor?.id ?? null,
    subject: subject?.id ?? null,
    outcome,
    severity: severity ?? null,
  };
}

/** A row that is not sealed yet. */
export function blank(seq: number, entry = entryText(seq)): Row {
  const id: string = JSON.parse(entry).id;
  return {
    ...{ seq, entry, prevHash: '', hash: '', leafHash: '', entryHmac: null, id, n: String(seq + 1), era: 0 },
    ...{
      xid: String(700 + seq),
      sealedAt: time(seq + 0.5),
      horizon: seq % 4 === 3 ? `${701 + seq}:${701 + seq}:` : null,
    },
    ...{ sealHmac: '', columns: columnsOf(entry) },
  };
}

/** A sound log. */
export function log(length: number, origin = ORIGIN): Row[] {
  const rows = Array.from({ length }, (_, seq) => blank(seq));
  rechain(rows, 0, AUDIT_KEY, origin);
  return rows;
}

/** Seals anew from there on, as the sealer would, or an attacker with a key of his own. */
export function rechain(rows: Row[], from: number, key: Buffer = AUDIT_KEY, origin = ORIGIN): void {
  for (let at = from; at < rows.length; at += 1) seal(rows[at] as Row, rows[at - 1]?.hash ?? genesis(origin), key);
}

/** Numbers the rows from 0. */
export function renumber(rows: Row[]): void {
  for (const [seq, row] of rows.entries()) row.seq = seq;
}

/** RFC 9162 section 2.1.1, as it is written there. */
export function root(leaves: readonly string[]): string {
  if (leaves.length === 0) return sha('').toString('hex');
  if (leaves.length === 1) return leaves[0] as string;
  const k = split(leaves.length);
  return sha(
    Buffer.of(1),
    Buffer.from(root(leaves.slice(0, k)), 'hex'),
    Buffer.from(root(leaves.slice(k)), 'hex'),
  ).toString('hex');
}

/** RFC 9162 section 2.1.3.1. */
export function inclusion(index: number, leaves: readonly string[]): string[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...inclusion(index, leaves.slice(0, k)), root(leaves.slice(k))]
    : [...inclusion(index - k, leaves.slice(k)), root(leaves.slice(0, k))];
}

const split = (size: number): number => 2 ** Math.ceil(Math.log2(size) - 1);

function range(leaves: readonly string[]): string[] {
  const found: string[] = [];
  let start = 0;
  for (let width = 2 ** 40; width >= 1; width /= 2) {
    if (Math.floor(leaves.length / width) % 2 === 0) continue;
    found.push(root(leaves.slice(start, start + width)));
    start += width;
  }
  return found;
}

export interface Published {
  name: string;
  text: string;
}

/** A checkpoint over the first `size` rows, as published once its last entry was sealed. */
export function checkpoint(
  rows: readonly Row[],
  size: number,
  over: {
    key?: Signer;
    origin?: string;
    time?: string;
    fork?: number;
    kept?: number;
    lost?: number;
    root?: string;
  } = {},
): Published {
  const { key = signer(), origin = ORIGIN, fork = 0, kept = 0, lost = 0 } = over;
  const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
  const tree = over.root ?? root(rows.slice(0, size).map(({ leafHash }) => leafHash));
  const head = size === 0 ? genesis(origin) : (rows[size - 1] as Row).hash;
  const lines = [origin, String(size), base64(tree), `head ${base64(head)}`, `time ${over.time ?? time(size - 0.2)}`];
  if (fork > 0) lines.push(`restored ${fork} ${kept} ${lost}`);
  const name = `${String(fork).padStart(4, '0')}-${String(size).padStart(20, '0')}.txt`;
  return { name, text: note(`${lines.join('\n')}\n`, key) };
}

export interface ExportOptions {
  from?: number;
  to?: number;
  key?: Signer;
  keys?: readonly string[];
  checkpoints?: readonly Published[];
  /** Entries a file at most; a power of two. */
  perFile?: number;
  /** Members of the manifest to put others in the place of. */
  manifest?: Record<string, unknown>;
}

const lineOf = (row: Row): string => `${JSON.stringify(row)}\n`;

/** Writes what the database holds, as an honest exporter does: the manifest says what the rows say. */
export function writeExport(dir: string, rows: readonly Row[], options: ExportOptions = {}): string {
  const { key = signer(), perFile = 8, from = 0 } = options;
  const end = options.to ?? (rows.at(-1)?.seq ?? -1) + 1;
  const within = rows.filter(({ seq }) => seq >= from && seq < end);
  const before = rows.filter(({ seq }) => seq < from);
  mkdirSync(join(dir, 'entries'), { recursive: true });
  const files = [...Map.groupBy(within, ({ seq }) => Math.floor(seq / perFile)).values()].map((part) => {
    const first = (part[0] as Row).seq;
    const name = `entries/entries-${String(first).padStart(12, '0')}.ndjson.gz`;
    return writeLines(dir, name, first, part);
  });
  const leaves = (some: readonly Row[]) => some.map(({ leafHash }) => leafHash);
  write(dir, key, options.checkpoints ?? [checkpoint(rows, end, { key })], options.keys ?? [key.vkey], {
    createdAt: time(100_000),
    eras: [{ cluster: '7301', era: 0, startedAt: time(-10) }],
    files,
    from,
    head: within.at(-1)?.hash ?? before.at(-1)?.hash ?? genesis(),
    kind: 'export',
    origin: key.name,
    pending: [],
    root: root(leaves([...before, ...within])),
    start: { prevHash: before.at(-1)?.hash ?? genesis(), range: range(leaves(before)) },
    to: end,
    v: 1,
    verification: { checked: within.length, firstInvalidSeq: null, macs: true, reason: null, valid: true },
    ...options.manifest,
  });
  return dir;
}

/** An evidence bundle of some entries, proven by one checkpoint over all rows. */
export function writeEvidence(
  dir: string,
  rows: readonly Row[],
  seqs: readonly number[],
  over: { manifest?: Record<string, unknown>; checkpoints?: readonly Published[] } = {},
): string {
  const key = signer();
  const leaves = rows.map(({ leafHash }) => leafHash);
  mkdirSync(dir, { recursive: true });
  const lines = seqs.map((seq) => {
    const proof = inclusion(seq, leaves).map((hash) => Buffer.from(hash, 'hex').toString('base64'));
    return { ...(rows[seq] as Row), proof };
  });
  const file = writeLines(dir, 'entries.ndjson.gz', seqs[0] ?? 0, lines);
  const covering = checkpoint(rows, rows.length);
  write(dir, key, over.checkpoints ?? [covering], [key.vkey], {
    checkpoint: covering.name,
    createdAt: time(100_000),
    entries: seqs.length,
    files: [file],
    damaged: [],
    incident: { id: '0190', cause: 'lockout' },
    kind: 'evidence',
    origin: ORIGIN,
    pending: [],
    selection: { from: time(-3_600), to: time(90_000), found: seqs.length, truncated: false, inColdStorage: [] },
    tree: { size: rows.length, root: root(leaves), head: (rows.at(-1) as Row).hash },
    verification: { checked: seqs.length, firstInvalidSeq: null, macs: true, reason: null, valid: true },
    v: 1,
    ...over.manifest,
  });
  return dir;
}

function writeLines(dir: string, name: string, from: number, rows: readonly Row[]) {
  const bytes = gzipSync(rows.map(lineOf).join(''), { level: 1 });
  writeFileSync(join(dir, name), bytes);
  return { bytes: bytes.length, count: rows.length, from, name, sha256: sha(bytes).toString('hex') };
}

function write(
  dir: string,
  key: Signer,
  checkpoints: readonly Published[],
  keys: readonly string[],
  manifest: Record<string, unknown>,
): void {
  mkdirSync(join(dir, 'checkpoints'), { recursive: true });
  for (const { name, text } of checkpoints) writeFileSync(join(dir, 'checkpoints', name), text);
  writeFileSync(join(dir, 'keys.txt'), `${keys.join('\n')}\n`);
  const text = JSON.stringify(sorted(manifest));
  writeFileSync(join(dir, 'manifest.json'), text);
  writeFileSync(
    join(dir, 'manifest.note'),
    note(`tradeguard-export/v1\n${manifest.origin}\n${sha(text).toString('hex')}\n`, key),
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  );
}
