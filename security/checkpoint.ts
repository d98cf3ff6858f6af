import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import { NoteError, openNote, signNote, type Verifier } from './signed-note.ts';

/** What a log says of itself at one size, in the form of https://c2sp.org/tlog-checkpoint. */
export interface Checkpoint {
  /** Names the log. */
  readonly origin: string;
  /** Number of sealed entries. */
  readonly size: number;
  /** Root of the Merkle tree over them. */
  readonly root: Buffer;
  /** Chain hash of the last one; the genesis for an empty log. */
  readonly head: Buffer;
  /** RFC 3339 in UTC with microseconds. */
  readonly time: string;
  /** How often the log went on from a backup that had lost published entries; 0 for one that never did. */
  readonly fork: number;
  /** In a fork: entries that were kept, and the largest published size that was given up. */
  readonly restored: { readonly kept: number; readonly lost: number } | null;
}

const HASH_BYTES = 32;
const SEED_BYTES = 32;
/** PrivateKeyInfo of an Ed25519 key before its 32 bytes (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const COUNT = '0|[1-9]\\d{0,15}';
const HASH = '[A-Za-z0-9+/]{43}=';
const TIME = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z';
const TEXT = new RegExp(
  `^(?<origin>[^\\s+]+)\\n(?<size>${COUNT})\\n(?<root>${HASH})\\nhead (?<head>${HASH})\\ntime (?<time>${TIME})\\n` +
    `(?:restored (?<fork>[1-9]\\d{0,3}) (?<kept>${COUNT}) (?<lost>${COUNT})\\n)?$`,
  'u',
);
const NAME = /^(?<fork>\d{4})-(?<size>\d{20})\.txt$/;

/** The text that is signed. */
export function checkpointText({ origin, size, root, head, time, fork, restored }: Checkpoint): string {
  const lines = [origin, size, root.toString('base64'), `head ${head.toString('base64')}`, `time ${time}`];
  if (restored !== null) lines.push(`restored ${fork} ${restored.kept} ${restored.lost}`);
  return `${lines.join('\n')}\n`;
}

/** @throws NoteError when the text is not exactly what {@link checkpointText} writes */
export function parseCheckpoint(text: string): Checkpoint {
  const found = TEXT.exec(text)?.groups;
  if (found === undefined) throw new NoteError('the note is no checkpoint of an audit log');
  const { origin = '', time = '' } = found;
  const size = Number(found.size);
  const [root, head] = [Buffer.from(found.root ?? '', 'base64'), Buffer.from(found.head ?? '', 'base64')];
  const restored = found.fork === undefined ? null : { kept: Number(found.kept), lost: Number(found.lost) };
  const checkpoint = { origin, size, root, head, time, fork: Number(found.fork ?? 0), restored };
  const isExact = root.length === HASH_BYTES && head.length === HASH_BYTES && Number.isSafeInteger(size);
  const isSound = restored === null || (restored.kept < restored.lost && restored.kept <= size);
  if (!isExact || !isSound || !isInstant(time) || checkpointText(checkpoint) !== text)
    throw new NoteError('the checkpoint is malformed');
  return checkpoint;
}

/** A day that no month has is not read back as it was written. */
function isInstant(time: string): boolean {
  const milliseconds = `${time.slice(0, 23)}Z`;
  const at = new Date(milliseconds);
  return !Number.isNaN(at.getTime()) && at.toISOString() === milliseconds;
}

/** The signed note that is published. @throws NoteError for what nobody could open: it is never signed */
export function signCheckpoint(checkpoint: Checkpoint, privateKey: KeyObject): string {
  const text = checkpointText(checkpoint);
  if (parseCheckpoint(text).fork !== checkpoint.fork) throw new NoteError('a fork is told with its restore');
  return signNote(text, { name: checkpoint.origin, privateKey });
}

/** @throws NoteError when nobody known signed it, it is no checkpoint, or it is of another log than its signer */
export function openCheckpoint(note: string, verifiers: readonly Verifier[]): Checkpoint {
  const { text, signedBy } = openNote(note, verifiers);
  const checkpoint = parseCheckpoint(text);
  if (!signedBy.includes(checkpoint.origin)) throw new NoteError('the log has not signed its checkpoint');
  return checkpoint;
}

/**
 * The key that checkpoints are signed with: made of a seed of its own, which only some processes need to have, or derived
 * from the audit key (HKDF-SHA256, RFC 5869).
 *
 * @throws RangeError when the seed has not 32 bytes
 */
export function checkpointKey(from: { auditKey: KeyObject } | { seed: KeyObject }): {
  privateKey: KeyObject;
  publicKey: KeyObject;
} {
  const seed =
    'seed' in from
      ? from.seed.export()
      : Buffer.from(hkdfSync('sha256', from.auditKey, '', 'tradeguard-checkpoint/v1', SEED_BYTES));
  if (seed.length !== SEED_BYTES) throw new RangeError(`the key of checkpoints has ${SEED_BYTES} bytes`);
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** The name that a checkpoint is published under: in the order of fork and size. */
export function checkpointName({ fork, size }: { fork: number; size: number }): string {
  return `${String(fork).padStart(4, '0')}-${String(size).padStart(20, '0')}.txt`;
}

/** Null for a name that is not one of {@link checkpointName}. */
export function parseCheckpointName(name: string): { fork: number; size: number } | null {
  const found = NAME.exec(name)?.groups;
  return found === undefined ? null : { fork: Number(found.fork), size: Number(found.size) };
}
