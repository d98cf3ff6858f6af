import { type KeyObject, verify } from 'node:crypto';
import { noteKeyId, publicKeyOf } from './signed-note.ts';

/** A witness as its verifier key names it. */
export interface Witness {
  readonly name: string;
  /** 4 bytes. */
  readonly keyId: Buffer;
  readonly publicKey: KeyObject;
}

/** Signature type of a timestamped Ed25519 cosignature. */
const COSIGNATURE_V1 = 0x04;

/**
 * Reads the verifier key of a witness, `name+hash+base64(0x04 || public key)`: https://c2sp.org/tlog-cosignature.
 * @throws Error when it is none
 */
export function parseWitnessKey(vkey: string): Witness {
  const [, name = '', hash = '', encoded = ''] =
    /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(vkey.trim()) ?? [];
  const key = Buffer.from(encoded, 'base64');
  if (key.length !== 33 || key[0] !== COSIGNATURE_V1) {
    throw new Error('the verifier key of the witness is not one of cosignature/v1 (Ed25519)');
  }
  const raw = key.subarray(1);
  const keyId = noteKeyId(name, COSIGNATURE_V1, raw);
  if (keyId.toString('hex') !== hash) throw new Error('the verifier key of the witness does not match its own hash');
  return { name, keyId, publicKey: publicKeyOf(raw) };
}

/** What a witness signs: when it saw the checkpoint, then the note's text with its last line break. */
function cosignedMessage(text: string, seconds: bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
}

/**
 * The line of `lines` that is this witness's, where it signed `text`. Lines of others are left out.
 *
 * @param text of the note, with its final line break and without signatures
 * @returns the line with its line break and the time of the cosignature in seconds; undefined where there is none that holds
 */
export function findCosignature(
  text: string,
  lines: string,
  witness: Witness,
): { line: string; seconds: bigint } | undefined {
  for (const [line, name, encoded = ''] of lines.matchAll(/^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})\n/gm)) {
    const blob = Buffer.from(encoded, 'base64');
    if (name !== witness.name || blob.length !== 76 || blob.toString('base64') !== encoded) continue;
    if (!blob.subarray(0, 4).equals(witness.keyId)) continue;
    const seconds = blob.readBigUInt64BE(4);
    if (verify(null, cosignedMessage(text, seconds), witness.publicKey, blob.subarray(12))) return { line, seconds };
  }
  return undefined;
}
