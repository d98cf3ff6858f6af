import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { markUnencoded } from '../domain/unencoded-input.ts';
import type { Keyring } from '../security/keyring.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

/**
 * What to do with a payload that did not pass this codec.
 * - `mark`: hand it on inside `markUnencoded`. For workers: the codec is not told what a payload is for (its context
 *   names the workflow, not the signal), and an error here would fail the workflow task for as long as the payload is in
 *   the history, so that anybody with access to Temporal could bring a workflow to a standstill. Interceptors, which
 *   know, decide.
 * - `refuse`: throw. For clients, which read only what our workers wrote.
 * - `pass`: hand it on as it is. For the codec server, whose readers want to see it.
 */
export type UnencodedPolicy = 'mark' | 'refuse' | 'pass';

/** A payload that cannot be decoded. The message holds nothing of it. */
export class PayloadCodecError extends Error {
  override readonly name = 'PayloadCodecError';
}

const ENCODING = 'binary/encrypted';
const CIPHER = 'AES-256-GCM';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const encoding = Buffer.from(ENCODING);
const cipherName = Buffer.from(CIPHER);

/**
 * Encrypts everything that workflows, activities, signals, updates and their failures carry, before it reaches Temporal:
 * AES-256-GCM under the active `payload-codec` key, nonce first, tag last, the key's id in the metadata. The whole
 * payload is inside, its own metadata included. Workflow ids, search attributes, names and timers are not covered.
 */
export function createPayloadCodec(keyring: Keyring, { unencoded }: { unencoded: UnencodedPolicy }): PayloadCodec {
  function encode(payload: Payload): Payload {
    const { keyId, key } = keyring.sealingKey('payload-codec');
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(additionalData(keyId));
    const plain = PayloadMessage.encode(payload).finish();
    return {
      metadata: { encoding, 'encryption-cipher': cipherName, 'encryption-key-id': Buffer.from(keyId) },
      data: Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]),
    };
  }

  function decode(payload: Payload): Payload {
    const keyId = encodedWith(payload);
    if (keyId === undefined) return decodeUnencoded(payload);
    // A key that is not loaded is a fault of this process, and not of the payload: it is tried again elsewhere or later.
    const key = keyring.openingKey('payload-codec', keyId);
    const data = payload.data ?? new Uint8Array();
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(additionalData(keyId));
      decipher.setAuthTag(data.subarray(-TAG_BYTES));
      const plain = Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
      const { metadata, data: content } = PayloadMessage.decode(plain);
      return { metadata, data: content };
    } catch {
      // Whoever can write to Temporal can write this as well.
      if (unencoded === 'mark') return jsonPayload(markUnencoded(null));
      throw new PayloadCodecError('a payload is not authentic');
    }
  }

  function decodeUnencoded(payload: Payload): Payload {
    if (unencoded === 'pass') return payload;
    if (unencoded === 'refuse') throw new PayloadCodecError('a payload came unencoded');
    return jsonPayload(markUnencoded(jsonOf(payload)));
  }

  return {
    encode: async (payloads) => payloads.map(encode),
    decode: async (payloads) => payloads.map(decode),
  };
}

/** The id of the key a payload was encoded with, or undefined for one that this codec did not make. */
export function encodedWith({ metadata }: Payload): string | undefined {
  const keyId = metadata?.['encryption-key-id'];
  return keyId !== undefined && Buffer.from(metadata?.encoding ?? []).equals(encoding)
    ? Buffer.from(keyId).toString('utf8')
    : undefined;
}

function additionalData(keyId: string): Buffer {
  return Buffer.from(`tradeguard/payload-codec/v1\n${keyId}`);
}

function jsonPayload(value: unknown): Payload {
  return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
}

/** The value of a plain JSON payload; null for everything else, well-formed or not. */
function jsonOf({ metadata, data }: Payload): unknown {
  if (Buffer.from(metadata?.encoding ?? []).toString() !== 'json/plain') return null;
  try {
    return JSON.parse(Buffer.from(data ?? []).toString('utf8'));
  } catch {
    return null;
  }
}
