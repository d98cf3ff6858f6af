import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/** A note that is not one, or that nobody known has signed. */
export class NoteError extends Error {
  override readonly name = 'NoteError';
}

/** A key that notes are verified with. */
export interface Verifier {
  readonly name: string;
  /** Four bytes; see {@link noteKeyId}. */
  readonly keyId: Buffer;
  readonly publicKey: KeyObject;
}

/** Signature types of https://c2sp.org/signed-note: Ed25519 over the text. */
const ED25519 = 1;
const RAW_KEY_BYTES = 32;
const KEY_ID_BYTES = 4;
/** SubjectPublicKeyInfo of an Ed25519 key before its 32 bytes (RFC 8410 section 4). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const NAME = /^[^\p{White_Space}\p{Cc}+]+$/u;
/** A note of ours is some hundred bytes; whoever puts one into a place must not make its reader work. */
const MAX_LENGTH = 65_536;
const MAX_SIGNATURES = 100;
const DASH = '—';

/** The 32 bytes of an Ed25519 public key. */
export function rawPublicKey(publicKey: KeyObject): Buffer {
  if (publicKey.asymmetricKeyType !== 'ed25519') throw new NoteError('a note is signed with an Ed25519 key');
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}

/** The public key of 32 bytes. @throws NoteError when there are more or fewer */
export function publicKeyOf(raw: Uint8Array): KeyObject {
  if (raw.length !== RAW_KEY_BYTES) throw new NoteError(`an Ed25519 key has ${RAW_KEY_BYTES} bytes`);
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
}

/** The first four bytes of `SHA-256(name ‖ "\n" ‖ type ‖ key)` (https://c2sp.org/signed-note). */
export function noteKeyId(name: string, type: number, raw: Uint8Array): Buffer {
  return createHash('sha256')
    .update(`${name}\n`)
    .update(Buffer.of(type))
    .update(raw)
    .digest()
    .subarray(0, KEY_ID_BYTES);
}

/** A verifier key as text: `<name>+<key id>+<base64 of type and key>`. */
export function verifierKeyOf(name: string, publicKey: KeyObject): string {
  const raw = rawPublicKey(publicKey);
  const id = noteKeyId(checkedName(name), ED25519, raw).toString('hex');
  return `${name}+${id}+${Buffer.concat([Buffer.of(ED25519), raw]).toString('base64')}`;
}

/** @throws NoteError when the text is no verifier key, or its id is not that of its key */
export function parseVerifierKey(text: string): Verifier {
  const found = /^(?<name>[^\s+]+)\+(?<id>[0-9a-f]{8})\+(?<key>.+)$/u.exec(text)?.groups;
  const bytes = bytesOf(found?.key);
  if (found === undefined || bytes[0] !== ED25519) {
    throw new NoteError('a verifier key is <name>+<8 hex digits>+<base64 of an Ed25519 key>');
  }
  const raw = bytes.subarray(1);
  const publicKey = publicKeyOf(raw);
  const name = checkedName(found.name ?? '');
  const keyId = noteKeyId(name, ED25519, raw);
  if (keyId.toString('hex') !== found.id) throw new NoteError('the id of a verifier key is not that of its key');
  return { name, keyId, publicKey };
}

/**
 * Signs a text as a note: the text, an empty line, and a line with name and signature (https://c2sp.org/signed-note).
 *
 * @param text ends with a newline and has no control characters but newlines
 * @throws NoteError for another text, name or key
 */
export function signNote(text: string, signer: { name: string; privateKey: KeyObject }): string {
  checkText(text);
  const raw = rawPublicKey(createPublicKey(signer.privateKey));
  const id = noteKeyId(checkedName(signer.name), ED25519, raw);
  const signature = Buffer.concat([id, sign(null, Buffer.from(text), signer.privateKey)]);
  return `${text}\n${DASH} ${signer.name} ${signature.toString('base64')}\n`;
}

/** One line of a note's signatures. */
export interface NoteSignature {
  readonly name: string;
  readonly keyId: Buffer;
  /** What follows the key's id. */
  readonly bytes: Buffer;
}

/** Takes a note apart without verifying anything. @throws NoteError when it is malformed */
export function splitNote(note: string): { text: string; signatures: NoteSignature[] } {
  if (note.length > MAX_LENGTH) throw new NoteError('the note is too long');
  checkText(note);
  const at = note.lastIndexOf('\n\n');
  if (at === -1 || !note.endsWith('\n')) throw new NoteError('a note is a text, an empty line and signatures');
  const text = note.slice(0, at + 1);
  const lines = note.slice(at + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) throw new NoteError('the note has too many signatures');
  const signatures = lines.map((line) => {
    const found = /^— (?<name>[^\s+]+) (?<signature>\S+)$/u.exec(line)?.groups;
    const bytes = bytesOf(found?.signature);
    if (found?.name === undefined || !NAME.test(found.name) || bytes.length <= KEY_ID_BYTES)
      throw new NoteError('a signature of the note is malformed');
    return { name: found.name, keyId: bytes.subarray(0, KEY_ID_BYTES), bytes: bytes.subarray(KEY_ID_BYTES) };
  });
  return { text, signatures };
}

/**
 * Opens a note that one of the verifiers signed. Signatures of others are passed over, as the specification demands; a
 * signature that bears the name and id of a verifier and does not verify is an error.
 *
 * @returns the text, and the names of those who signed it
 * @throws NoteError
 */
export function openNote(note: string, verifiers: readonly Verifier[]): { text: string; signedBy: string[] } {
  const { text, signatures } = splitNote(note);
  const signedBy = new Set<string>();
  for (const { name, keyId, bytes } of signatures) {
    const verifier = verifiers.find((known) => known.name === name && known.keyId.equals(keyId));
    if (verifier === undefined) continue;
    if (!verify(null, Buffer.from(text), verifier.publicKey, bytes)) {
      throw new NoteError(`the signature of ${name} does not belong to this text`);
    }
    signedBy.add(name);
  }
  if (signedBy.size === 0) throw new NoteError('nobody who is known has signed this note');
  return { text, signedBy: [...signedBy] };
}

/** Standard base64, exactly as it is written; nothing for text that is not. */
function bytesOf(text = ''): Buffer {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : Buffer.alloc(0);
}

function checkedName(name: string): string {
  if (!NAME.test(name)) throw new NoteError('the name of a key has no spaces and no plus');
  return name;
}

function checkText(text: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a note must not have
  if (!text.endsWith('\n') || !text.isWellFormed() || /[\u0000-\u0009\u000b-\u001f]/.test(text)) {
    throw new NoteError('the text of a note ends with a newline and has no other control characters');
  }
}
