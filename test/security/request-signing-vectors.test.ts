import { readFileSync } from 'node:fs';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import {
  readSignature,
  type SignatureRefusal,
  signedText,
  signingKeyFrom,
  signRequest,
  timestampRefusal,
  verifySignature,
} from '../../security/request-signing.ts';

interface Vector {
  name: string;
  secret: string;
  keyId: string;
  audience: string;
  now: number;
  request: { method: string; target: string; headers: [string, string][]; bodyUtf8?: string; bodyBase64?: string };
  signedText?: string;
  bodySha256?: string;
  signature?: string;
  valid: boolean;
  reason?: string;
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../../docs/vectors/request-signing.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] };

const bodyOf = ({ request }: Vector) =>
  request.bodyBase64 === undefined ? Buffer.from(request.bodyUtf8 ?? '') : Buffer.from(request.bodyBase64, 'base64');
const headerOf = ({ request }: Vector, name: string) => request.headers.find(([given]) => given === name)?.[1] ?? '';

/** What our own code makes of a vector, with one key and no memory of nonces. */
function judge(vector: Vector): SignatureRefusal | 'valid' {
  const { method, target, headers } = vector.request;
  const presented = readSignature(
    { method, target, rawHeaders: headers.flat(), body: bodyOf(vector) },
    vector.audience,
  );
  if ('refusal' in presented) return presented.refusal;
  const candidate = { keyId: vector.keyId, key: signingKeyFrom(vector.secret) };
  if (!verifySignature(presented, candidate)) return 'signature_mismatch';
  return timestampRefusal(presented.parts.timestamp, vector.now) ?? 'valid';
}

/** The same by a second implementation: its own hashes, its own way of putting the text together. */
function nobleSignature(vector: Vector): { text: string; signature: string } {
  const [, path, query] = /^([^?]*)\??(.*)$/.exec(vector.request.target) ?? [];
  const time = headerOf(vector, 'X-Timestamp');
  const nonce = headerOf(vector, 'X-Nonce');
  const idempotencyKey = headerOf(vector, 'Idempotency-Key');
  const hash = bytesToHex(sha256(bodyOf(vector)));
  const text =
    `TG1-HMAC-SHA256\n${vector.keyId}\n${time}\n${nonce}\n${vector.request.method}\n${vector.audience}\n` +
    `${path}\n${query}\n${idempotencyKey}\n${hash}`;
  const key = new Uint8Array(Buffer.from(vector.secret, 'base64url'));
  return { text, signature: bytesToHex(hmac(sha256, key, utf8ToBytes(text))) };
}

describe('the published vectors', () => {
  it('are thirty or more, of both kinds, each with a name of its own', () => {
    expect(vectors.filter(({ valid }) => valid).length).toBeGreaterThanOrEqual(15);
    expect(vectors.filter(({ valid }) => !valid).length).toBeGreaterThanOrEqual(30);
    expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
  });

  it.each(vectors.filter(({ valid }) => valid))('[R1] pass: $name', (vector) => {
    expect(judge(vector)).toBe('valid');
    const parts = {
      keyId: vector.keyId,
      timestamp: headerOf(vector, 'X-Timestamp'),
      nonce: headerOf(vector, 'X-Nonce'),
      method: vector.request.method,
      audience: vector.audience,
      path: vector.request.target.split('?')[0] ?? '',
      query: vector.request.target.split('?').slice(1).join('?'),
      idempotencyKey: headerOf(vector, 'Idempotency-Key'),
      body: bodyOf(vector),
    };
    expect(signedText(parts)).toBe(vector.signedText);
    expect(signRequest(signingKeyFrom(vector.secret), parts)).toBe(vector.signature);
    expect(vector.signedText?.endsWith(`\n${vector.bodySha256}`)).toBe(true);
  });

  it.each(vectors.filter(({ valid }) => valid))('[R1] agree with a second implementation: $name', (vector) => {
    expect(nobleSignature(vector)).toEqual({ text: vector.signedText, signature: vector.signature });
    expect(headerOf(vector, 'X-Signature')).toBe(vector.signature);
  });

  it.each(vectors.filter(({ valid }) => !valid))('[R1 R2 R5] are refused: $name ($reason)', (vector) => {
    expect(judge(vector)).toBe(vector.reason);
  });

  it.each(vectors.filter(({ reason }) => reason === 'signature_mismatch'))(
    'are refused by a second implementation: $name',
    (vector) => {
      expect(nobleSignature(vector).signature).not.toBe(headerOf(vector, 'X-Signature'));
    },
  );
});

describe('the signed text', () => {
  const parts = {
    keyId: 'k',
    timestamp: '1795593600',
    nonce: 'n',
    method: 'POST',
    audience: 'a',
    path: '/p',
    query: '',
    idempotencyKey: '',
    body: new Uint8Array(),
  };

  it.each(['keyId', 'timestamp', 'nonce', 'method', 'audience', 'path', 'query', 'idempotencyKey'] as const)(
    'takes no line feed in %s, which could move a line',
    (name) => {
      expect(() => signedText({ ...parts, [name]: 'a\nb' })).toThrow(TypeError);
      expect(() => signedText({ ...parts, [name]: 'é' })).toThrow(TypeError);
    },
  );

  it('takes secrets of 32 bytes in one spelling only', () => {
    const secret = Buffer.alloc(32, 255).toString('base64url');
    expect(() => signingKeyFrom(secret)).not.toThrow();
    // The last character has two unused bits.
    for (const wrong of [`${secret}=`, secret.slice(0, -1), `${secret.slice(0, -1)}9`, '', `${secret}A`]) {
      expect(() => signingKeyFrom(wrong), wrong).toThrow(TypeError);
    }
  });

  it('costs an unknown key what a known one costs: the dummy key is tried, and says no', () => {
    const [vector] = vectors;
    if (vector === undefined) throw new Error('no vector');
    const { method, target, headers } = vector.request;
    const presented = readSignature(
      { method, target, rawHeaders: headers.flat(), body: bodyOf(vector) },
      vector.audience,
    );
    if ('refusal' in presented) throw new Error(presented.refusal);
    expect(verifySignature(presented, undefined)).toBe(false);
  });
});
