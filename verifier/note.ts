import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';

/** Somebody whose signatures count: `name+<key id, 8 hex digits>+<base64 of 0x01 ‖ public key>` (C2SP signed-note). */
export interface Verifier {
  vkey: string;
  name: string;
  keyId: string;
  publicKey: KeyObject;
}

const ED25519 = 1;
/** SubjectPublicKeyInfo of an Ed25519 key, up to its 32 bytes (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Reads a verifier key; null when it is none, or its key id is not that of the key. */
export function parseVerifierKey(vkey: string): Verifier | null {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(vkey);
  if (match === null) return null;
  const [, name = '', keyId = '', encoded = ''] = match;
  const key = Buffer.from(encoded, 'base64');
  if (key.length !== 33 || key[0] !== ED25519 || key.toString('base64') !== encoded) return null;
  const expected = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), key]), 'hex').slice(0, 8);
  if (expected !== keyId) return null;
  const der = Buffer.concat([SPKI_PREFIX, key.subarray(1)]);
  return { vkey, name, keyId, publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
}

export type OpenedNote =
  | { text: string; signers: Verifier[]; problem: null }
  | {
      text: string | null;
      signers: [];
      /** `unknown_key`: none of the signatures is by a key that was given. */
      problem: 'malformed' | 'unknown_key' | 'bad_signature';
    };

/**
 * Opens a signed note (https://c2sp.org/signed-note): signatures by others are passed over, one by a known key has to be
 * right, and at least one has to be known. The text is given even where it is not proven, to say what it claims.
 */
export function openNote(note: string, verifiers: readonly Verifier[]): OpenedNote {
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n') || hasControlCharacter(note)) return refused(null, 'malformed');
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2, -1).split('\n');
  const signers: Verifier[] = [];
  let isBad = false;
  for (const line of lines) {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
    const raw = Buffer.from(match?.[2] ?? '', 'base64');
    if (match === null || raw.length < 5 || raw.toString('base64') !== match[2]) return refused(text, 'malformed');
    const keyId = raw.toString('hex', 0, 4);
    const known = verifiers.find((verifier) => verifier.name === match[1] && verifier.keyId === keyId);
    if (known === undefined) continue;
    const signature = raw.subarray(4);
    if (signature.length === 64 && verify(null, Buffer.from(text), known.publicKey, signature)) signers.push(known);
    else isBad = true;
  }
  if (isBad) return refused(text, 'bad_signature');
  return signers.length === 0 ? refused(text, 'unknown_key') : { text, signers, problem: null };
}

function refused(text: string | null, problem: 'malformed' | 'unknown_key' | 'bad_signature'): OpenedNote {
  return { text, signers: [], problem };
}

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 && code !== 0x0a) return true;
  }
  return !text.isWellFormed();
}
