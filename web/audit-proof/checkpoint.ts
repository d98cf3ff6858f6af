import { asHash, type Bytes, concat, fromBase64, ProofError, sha256, toHex, utf8 } from './bytes.ts';

/** A key that checkpoints are verified with (https://c2sp.org/signed-note). */
export interface VerifierKey {
  readonly name: string;
  /** Four bytes, hex. */
  readonly id: string;
  /** The 32 bytes of the Ed25519 public key. */
  readonly raw: Bytes;
}

/** What a log says of itself at one size (https://c2sp.org/tlog-checkpoint). */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Bytes;
  /** RFC 3339. */
  readonly time: string;
  /** In a log that went on from a backup: entries that were kept of what had been published, and the size that was given up. */
  readonly restored: { readonly fork: number; readonly kept: number; readonly lost: number } | null;
}

const ED25519 = 1;
const ID_BYTES = 4;
const SIGNATURE_BYTES = 64;
const MAX_NOTE = 65_536;
const COUNT = '0|[1-9]\\d{0,15}';
const BODY = new RegExp(
  `^(?<origin>[^\\s+]+)\\n(?<size>${COUNT})\\n(?<root>\\S{44})\\nhead \\S{44}\\ntime (?<time>\\S{27})\\n` +
    `(?:restored (?<fork>[1-9]\\d{0,3}) (?<kept>${COUNT}) (?<lost>${COUNT})\\n)?$`,
  'u',
);
const SIGNATURE = /^— (?<name>[^\s+]+) (?<bytes>\S+)$/u;

/** @throws ProofError when the text is no verifier key of Ed25519, or its id is not that of its key */
export async function parseVerifierKey(text: string): Promise<VerifierKey> {
  const found = /^(?<name>[^\s+]+)\+(?<id>[0-9a-f]{8})\+(?<key>\S+)$/u.exec(text.trim())?.groups;
  if (found === undefined) throw new ProofError('a verifier key is <name>+<8 hex digits>+<base64>');
  const { name = '', id = '', key = '' } = found;
  const bytes = fromBase64(key);
  if (bytes[0] !== ED25519 || bytes.length !== 33) throw new ProofError('this is no key of Ed25519');
  const raw = bytes.slice(1);
  const digest = await sha256(utf8(`${name}\n`), Uint8Array.of(ED25519), raw);
  if (toHex(digest.slice(0, ID_BYTES)) !== id) throw new ProofError('the id in this key is not that of its bytes');
  return { name, id, raw };
}

/**
 * Opens a checkpoint that this key has signed. Signatures of others, as witnesses, are passed over.
 *
 * @throws ProofError when it is malformed, of another log, or not signed by this key
 */
export async function openCheckpoint(note: string, key: VerifierKey): Promise<Checkpoint> {
  const { text, lines } = split(note);
  const checkpoint = parseBody(text);
  let isSigned = false;
  for (const line of lines) {
    const found = SIGNATURE.exec(line)?.groups;
    if (found === undefined) throw new ProofError('a signature of the checkpoint is malformed');
    const bytes = fromBase64(found.bytes ?? '');
    if (found.name !== key.name || toHex(bytes.slice(0, ID_BYTES)) !== key.id) continue;
    if (!(await verifies(key, bytes.slice(ID_BYTES), utf8(text)))) {
      throw new ProofError('the signature does not belong to this text: it was changed after it was signed');
    }
    isSigned = true;
  }
  if (!isSigned) throw new ProofError(`the key ${key.name}+${key.id} has not signed it`);
  if (checkpoint.origin !== key.name) throw new ProofError(`it is of another log: ${checkpoint.origin}`);
  return checkpoint;
}

/** Where the browser has no Ed25519, nothing is taken for verified. */
async function verifies(key: VerifierKey, signature: Bytes, text: Bytes): Promise<boolean> {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const publicKey = await crypto.subtle.importKey('raw', key.raw, 'Ed25519', false, ['verify']).catch(() => {
    throw new ProofError('this browser cannot verify Ed25519 signatures');
  });
  return crypto.subtle.verify('Ed25519', publicKey, signature, text);
}

function split(note: string): { text: string; lines: string[] } {
  const at = note.lastIndexOf('\n\n');
  if (note.length > MAX_NOTE || at === -1 || !note.endsWith('\n')) {
    throw new ProofError('a checkpoint is a text, an empty line and signatures');
  }
  return { text: note.slice(0, at + 1), lines: note.slice(at + 2, -1).split('\n') };
}

function parseBody(text: string): Checkpoint {
  const found = BODY.exec(text)?.groups;
  if (found === undefined) throw new ProofError('the note is no checkpoint of an audit log');
  const { origin = '', time = '' } = found;
  const size = Number(found.size);
  if (!Number.isSafeInteger(size) || Number.isNaN(Date.parse(time)))
    throw new ProofError('the checkpoint is malformed');
  const restored =
    found.fork === undefined ? null : { fork: Number(found.fork), kept: Number(found.kept), lost: Number(found.lost) };
  return { origin, size, root: asHash(fromBase64(found.root ?? '')), time, restored };
}

/** The key's fingerprint for reading aloud: SHA-256 of its 32 bytes, hex. */
export async function fingerprintOf({ raw }: VerifierKey): Promise<string> {
  return toHex(await sha256(concat(raw)));
}
