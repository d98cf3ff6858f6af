import { createHash } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import type { SealedRow } from '../db/audit-rows.ts';
import type { Verification } from '../db/audit-verify.ts';
import { canonicalJson } from '../security/canonical-json.ts';
import { signNote, verifierKeyOf } from '../security/signed-note.ts';
import type { CheckpointSigner } from './checkpoint-signer.ts';

/** For the auditor who is given them, and nobody else of the machine. */
export const [PRIVATE_FILE, PRIVATE_FOLDER] = [0o600, 0o700];
/** Lines that are compressed in one piece. */
export const PIECE_LINES = 256;
/** Entries without a seal that an export or a bundle names. */
export const MAX_PENDING = 1_000;

/** An export or a bundle cannot be written as asked. The message says what to do. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
}

/** The present time as manifests have it. */
export const microsecondsNow = () => new Date().toISOString().replace('Z', '000Z');

/** What the exporter found, as a manifest and an audit entry have it: he holds the audit key, so MACs were checked. */
export function findingOf({
  valid,
  checked,
  firstInvalidSeq,
  reason,
}: Pick<Verification, 'valid' | 'checked' | 'firstInvalidSeq' | 'reason'>) {
  return { valid, checked, firstInvalidSeq, reason, macs: true };
}

/**
 * A row as a line of an export: the members in the order of the format, one object a line.
 *
 * @param proof for evidence: that the entry is in the tree of the bundle's checkpoint
 */
export function lineOf(row: SealedRow, proof?: readonly Buffer[]): string {
  const { stored } = row;
  const isThere = row.entry !== null;
  const line = {
    ...{ seq: row.seq, entry: row.entry, prevHash: row.prevHash.toString('hex'), hash: row.hash.toString('hex') },
    leafHash: row.leafHash.toString('hex'),
    entryHmac: row.entryHmac?.toString('hex') ?? null,
    ...{ id: row.entryId, n: row.n, era: Number(row.era), xid: row.xid, sealedAt: row.sealedAt, horizon: row.horizon },
    sealHmac: row.sealMac.toString('hex'),
    columns: isThere ? stored : null,
    ...(proof === undefined ? {} : { proof: proof.map((hash) => hash.toString('base64')) }),
  };
  return `${JSON.stringify(line)}\n`;
}

/** The files that say what an export is and who says so. `sha256`: of the manifest, in hex. */
export function signedManifest(
  members: Readonly<Record<string, unknown>>,
  { origin, signer }: { origin: string; signer: CheckpointSigner },
): { sha256: string; files: { 'manifest.json': string; 'manifest.note': string; 'keys.txt': string } } {
  const manifest = `${canonicalJson({ v: 1, origin, createdAt: microsecondsNow(), ...members })}\n`;
  const sha256 = createHash('sha256').update(manifest).digest('hex');
  const statement = `tradeguard-export/v1\n${origin}\n${sha256}\n`;
  const keys = signer.verifiers(origin).map(({ name, publicKey }) => verifierKeyOf(name, publicKey));
  return {
    sha256,
    files: {
      'manifest.json': manifest,
      'manifest.note': signNote(statement, { name: origin, privateKey: signer.privateKey }),
      'keys.txt': keys.map((key) => `${key}\n`).join(''),
    },
  };
}

/** Takes an empty folder away, so that a finished one can take its name. @throws ExportError when something is in it */
export async function assertEmpty(dir: string): Promise<void> {
  const there = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new ExportError(`${dir} is no folder that can be written: name one that does not exist yet.`);
  });
  if (there.length > 0) throw new ExportError(`${dir} has something in it: name a folder that does not exist yet.`);
  await rm(dir, { recursive: true, force: true });
}

/** Writes a file that nobody else of the machine can read, onto the disk. */
export async function store(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(path, content, { mode: PRIVATE_FILE, flush: true });
}
