import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createRequestSigner, importSigningKey } from '../../client/index.ts';

interface Vector {
  name: string;
  secret: string;
  keyId: string;
  audience: string;
  now: number;
  request: { method: string; target: string; headers: [string, string][]; bodyUtf8?: string; bodyBase64?: string };
  signature?: string;
  valid: boolean;
}
const { vectors } = JSON.parse(
  readFileSync(new URL('../../docs/vectors/request-signing.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] };
/** What a client can be asked to sign: it draws timestamp and nonce itself, and its bodies are text. */
const signable = vectors.filter(({ valid, request }) => valid && request.bodyBase64 === undefined);
const headerOf = ({ request }: Vector, name: string) =>
  request.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];

afterEach(() => void vi.restoreAllMocks());

describe('requests are signed', () => {
  it('has something to hold it against', () => expect(signable.length).toBeGreaterThanOrEqual(5));

  it.each(signable)('as the vector says: $name', async (vector) => {
    vi.spyOn(Date, 'now').mockReturnValue(Number(headerOf(vector, 'X-Timestamp')) * 1000 + 1);
    const nonce = headerOf(vector, 'X-Nonce') as ReturnType<typeof crypto.randomUUID>;
    vi.spyOn(crypto, 'randomUUID').mockReturnValue(nonce);
    const { secret, keyId, audience, request } = vector;
    const signed = await createRequestSigner({ secret, keyId, audience }).sign({
      method: request.method,
      target: request.target,
      body: request.bodyUtf8 ?? '',
      idempotencyKey: headerOf(vector, 'Idempotency-Key') ?? '',
    });
    expect(signed['X-Signature']).toBe(headerOf(vector, 'X-Signature'));
    expect(signed).toMatchObject({ 'X-Nonce': nonce, 'X-Key-Id': keyId, 'X-Algorithm': 'sha256' });
  });

  it('with a key that nobody can read again', async () => {
    const { secret, keyId, audience, ...rest } = signable[0] as Vector;
    const key = await importSigningKey(secret);
    expect(key.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow();
    vi.spyOn(Date, 'now').mockReturnValue(1_795_593_600_000);
    vi.spyOn(crypto, 'randomUUID').mockReturnValue('6f1c2a0e-4b53-4f0e-9a51-3d2b8f6c7e10');
    const request = { method: rest.request.method, target: '/x', body: '', idempotencyKey: '' };
    const signatures = await Promise.all(
      [secret, key].map((one) => createRequestSigner({ secret: one, keyId, audience }).sign(request)),
    );
    expect(signatures[1]).toEqual(signatures[0]);
  });

  it('not with what is no secret', () => {
    for (const wrong of ['', 'short', `${'A'.repeat(42)}=`]) {
      expect(() => importSigningKey(wrong)).toThrow('32 bytes in base64url');
    }
  });
});
