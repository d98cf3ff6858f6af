import crypto, { createHmac, randomUUID } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SignedIn } from '../helpers/people.ts';
import { createSignedClient, type IssuedSigningKey, issueSigningKey, signatureHeaders } from '../helpers/signing.ts';
import { AUDIENCE, createSigningApi, type SentRequest, type SigningApi } from '../helpers/signing-api.ts';

const TARGET = '/api/echo?account=1&note=a%20b';
const BODY = '{"amount":"250.00","currency":"USD"}';

let server: SigningApi;
let owner: SignedIn;
let key: IssuedSigningKey;

beforeAll(async () => {
  server = await createSigningApi();
});
afterAll(() => server.close());
beforeEach(async () => {
  owner = await server.people.signedIn('customer');
  key = await issueSigningKey(server.api, owner.token);
  server.passed.length = 0;
});

type Headers = Record<string, string>;
type Sent = Partial<SentRequest> & Pick<SentRequest, 'headers'>;

const send = (request: Sent) =>
  server.send({ method: 'POST', target: TARGET, body: BODY, token: owner.token, ...request });
const signed = (changes: Partial<Parameters<typeof signatureHeaders>[1]> = {}, by = key) =>
  signatureHeaders(by, { method: 'POST', target: TARGET, body: BODY, ...changes });
const without = (headers: Headers, name: string): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([given]) => given !== name));
const now = () => Math.floor(Date.now() / 1000);

describe('a signed request', () => {
  it('[R1] passes as it was signed', async () => {
    const answer = await send({ headers: signed() });
    expect(answer).toEqual({ status: 200, body: { userId: owner.userId } });
    expect(server.passed).toEqual([JSON.parse(BODY)]);
    expect(await server.refusals(owner.userId)).toEqual([]);
  });

  it.each([-299, 299])('[R2] passes with a clock that is off by %i seconds', async (seconds) => {
    expect((await send({ headers: signed({ timestamp: now() + seconds }) })).status).toBe(200);
  });

  it('passes with an empty body, with an Idempotency-Key, and with a nonce in capitals', async () => {
    const headers = signed({ method: 'GET', target: '/api/echo', body: '' });
    expect((await send({ method: 'GET', target: '/api/echo', body: '', headers })).status).toBe(200);
    expect((await send({ headers: signed({ idempotencyKey: 'order 1' }) })).status).toBe(200);
    expect((await send({ headers: signed({ nonce: randomUUID().toUpperCase() }) })).status).toBe(200);
  });

  it('passes without X-Key-Id while the caller has one active key, and not with two', async () => {
    expect((await send({ headers: without(signed(), 'X-Key-Id') })).status).toBe(200);
    await issueSigningKey(server.api, owner.token);
    expect((await send({ headers: without(signed(), 'X-Key-Id') })).status).toBe(401);
    expect(await server.refusals(owner.userId)).toEqual(['key_id_required']);
  });

  it('is still held against the schema', async () => {
    const headers = signed({ body: '{' });
    expect((await send({ body: '{', headers })).body).toMatchObject({ status: 400, code: 'malformed_body' });
  });
});

/** Each: what is sent, and what the audit log has to say about it. Outside all of them look alike. */
const REFUSALS: [what: string, reason: string, send: () => Sent | Promise<Sent>][] = [
  ['an unsigned request', 'header_missing', () => ({ headers: {} })],
  ...['X-Signature', 'X-Timestamp', 'X-Nonce', 'X-Algorithm'].map((name): (typeof REFUSALS)[number] => [
    `a request without ${name}`,
    'header_missing',
    () => ({ headers: without(signed(), name) }),
  ]),
  ['an empty signature', 'header_missing', () => ({ headers: { ...signed(), 'X-Signature': '' } })],
  ...['X-Signature', 'X-Timestamp', 'X-Nonce', 'X-Algorithm', 'X-Key-Id', 'Idempotency-Key'].map(
    (name): (typeof REFUSALS)[number] => [
      `${name} sent twice, even with one value`,
      'header_duplicated',
      () => {
        const headers = signed({ idempotencyKey: 'k1' });
        return { headers: [...Object.entries(headers), [name.toLowerCase(), headers[name] ?? '']] };
      },
    ],
  ),
  ['another algorithm', 'algorithm_unsupported', () => ({ headers: { ...signed(), 'X-Algorithm': 'sha1' } })],
  ['no algorithm at all', 'algorithm_unsupported', () => ({ headers: { ...signed(), 'X-Algorithm': 'none' } })],
  [
    'a signature in capitals',
    'header_malformed',
    () => {
      const headers = signed();
      return {
        headers: { ...headers, 'X-Signature': (headers['X-Signature'] as string).toUpperCase().replace(/^\d+/, 'A') },
      };
    },
  ],
  ['a short signature', 'header_malformed', () => ({ headers: { ...signed(), 'X-Signature': 'ab' } })],
  ['a timestamp in milliseconds', 'header_malformed', () => ({ headers: signed({ timestamp: Date.now() }) })],
  ['a timestamp with a sign', 'header_malformed', () => ({ headers: signed({ timestamp: `+${now()}` }) })],
  ['a nonce that is no UUID', 'header_malformed', () => ({ headers: signed({ nonce: 'abc' }) })],
  ['a key id that is no UUID', 'header_malformed', () => ({ headers: { ...signed(), 'X-Key-Id': "' or 1=1" } })],
  ['an old request', 'timestamp_old', () => ({ headers: signed({ timestamp: now() - 302 }) })],
  ['a request from the future', 'timestamp_future', () => ({ headers: signed({ timestamp: now() + 303 }) })],
  ['an altered body', 'signature_mismatch', () => ({ body: BODY.replace('250', '950'), headers: signed() })],
  ['a body with another space', 'signature_mismatch', () => ({ body: BODY.replace(':', ': '), headers: signed() })],
  [
    'an altered path',
    'signature_mismatch',
    () => ({ target: TARGET.replace('echo', 'echo/other'), headers: signed() }),
  ],
  ['an altered query', 'signature_mismatch', () => ({ target: TARGET.replace('=1', '=2'), headers: signed() })],
  [
    'another spelling of the query',
    'signature_mismatch',
    () => ({ target: TARGET.replace('%20', '+'), headers: signed() }),
  ],
  ['an altered method', 'signature_mismatch', () => ({ method: 'PUT', headers: signed() })],
  [
    'an altered Idempotency-Key',
    'signature_mismatch',
    () => ({ headers: { ...signed({ idempotencyKey: 'k1' }), 'Idempotency-Key': 'k2' } }),
  ],
  [
    'a removed Idempotency-Key',
    'signature_mismatch',
    () => ({ headers: without(signed({ idempotencyKey: 'k1' }), 'Idempotency-Key') }),
  ],
  [
    'an altered time',
    'signature_mismatch',
    () => ({ headers: { ...signed({ timestamp: now() - 30 }), 'X-Timestamp': String(now()) } }),
  ],
  ['an altered nonce', 'signature_mismatch', () => ({ headers: { ...signed(), 'X-Nonce': randomUUID() } })],
  [
    'a request for another installation',
    'signature_mismatch',
    () => ({ headers: signed({}, { ...key, audience: 'https://other.example.com' }) }),
  ],
  [
    'the text of the secret as the key',
    'signature_mismatch',
    () => ({ headers: signed({}, { ...key, secret: Buffer.from(key.secret).toString('base64url') }) }),
  ],
  [
    'another key’s id',
    'signature_mismatch',
    async () => {
      const second = await issueSigningKey(server.api, owner.token);
      return { headers: { ...signed(), 'X-Key-Id': second.keyId } };
    },
  ],
  ['a key that does not exist', 'key_unknown', () => ({ headers: signed({}, { ...key, keyId: randomUUID() }) })],
  [
    'a key of somebody else, rightly used',
    'key_of_another_user',
    async () => {
      const other = await server.people.signedIn('customer');
      return { headers: signed({}, await issueSigningKey(server.api, other.token)) };
    },
  ],
  [
    'a revoked key',
    'key_revoked',
    async () => {
      await createSignedClient(server.api, { token: owner.token, key }).delete(`/api/signing-keys/${key.keyId}`);
      return { headers: signed() };
    },
  ],
  [
    'an encoded body',
    'content_encoded',
    () => {
      const body = gzipSync(BODY);
      return { body, headers: { ...signed(), 'Content-Encoding': 'gzip' } };
    },
  ],
  [
    'an Idempotency-Key beyond ASCII',
    'header_malformed',
    () => ({ headers: { ...signed({ idempotencyKey: 'k' }), 'Idempotency-Key': 'caf\u00e9' } }),
  ],
  [
    'a target with a host',
    'target_malformed',
    () => ({ target: `http://localhost${TARGET}`, headers: signed({ target: `http://localhost${TARGET}` }) }),
  ],
];

describe('a refused request', () => {
  it.each(REFUSALS)('[R1] [R2] [R3] [R5] %s: %s', async (_what, reason, make) => {
    const answer = await send(await make());
    const { requestId, serverTime, ...problem } = answer.body;
    expect(problem).toEqual({
      type: 'urn:tradeguard:problem:signature_invalid',
      title: 'Unauthorized',
      status: 401,
      detail: 'This call must be signed with one of your signing keys, and its signature does not hold.',
      code: 'signature_invalid',
    });
    expect(answer.status).toBe(401);
    expect(requestId).toEqual(expect.any(String));
    // Only who proved to hold the key is told the time.
    expect(typeof serverTime).toBe(reason.startsWith('timestamp_') ? 'number' : 'undefined');
    expect(server.passed).toEqual([]);
    expect(await server.refusals(owner.userId)).toEqual([reason]);
  });

  it('[R3] is one that was seen before, also with other bytes around it', async () => {
    const headers = signed();
    expect((await send({ headers })).status).toBe(200);
    expect((await send({ headers })).status).toBe(401);
    // The same nonce, signed anew: with another time, another body, and in capitals.
    const nonce = headers['X-Nonce'] as string;
    expect((await send({ headers: signed({ nonce, timestamp: now() - 60 }) })).status).toBe(401);
    expect((await send({ headers: signed({ nonce, body: '{}' }), body: '{}' })).status).toBe(401);
    expect((await send({ headers: signed({ nonce: nonce.toUpperCase() }) })).status).toBe(401);
    expect(server.passed).toHaveLength(1);
    expect(await server.refusals(owner.userId)).toEqual(Array(4).fill('nonce_replayed'));
  });

  it('[R3] leaves its nonce unused, so a forged request cannot burn the real one', async () => {
    const headers = signed();
    expect((await send({ headers, body: '{}' })).status).toBe(401);
    expect((await send({ headers })).status).toBe(200);
  });

  it('[R3] is every one of 50 identical requests at the same time but one', async () => {
    const headers = signed();
    const answers = await Promise.all(Array.from({ length: 50 }, () => send({ headers })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'signature_invalid')).toHaveLength(49);
    expect(server.passed).toHaveLength(1);
  });

  it('[R3] is every one of 50 with one nonce but different times', async () => {
    const nonce = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => send({ headers: signed({ nonce, timestamp: now() - n * 5 }) })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('[R4] is compared in constant time, byte by byte of the whole MAC, also under a key that does not exist', async () => {
    const { timingSafeEqual } = crypto;
    const compared: number[][] = [];
    crypto.timingSafeEqual = (a, b) => {
      compared.push([a.byteLength, b.byteLength]);
      return timingSafeEqual(a, b);
    };
    syncBuiltinESMExports();
    try {
      for (const by of [
        { ...key, audience: 'https://other.example.com' },
        { ...key, keyId: randomUUID() },
      ]) {
        compared.length = 0;
        expect((await send({ headers: signed({}, by) })).status).toBe(401);
        expect(compared).toContainEqual([32, 32]);
      }
    } finally {
      crypto.timingSafeEqual = timingSafeEqual;
      syncBuiltinESMExports();
    }
  });

  it.each(['Echo', 'echo/', '%65cho'])(
    'is one for another spelling of the path, %s, which is no path',
    async (spelling) => {
      const target = TARGET.replace('echo', spelling);
      expect((await send({ target, headers: signed({ target }) })).status).toBe(404);
      expect(server.passed).toEqual([]);
    },
  );

  it('names no secret and no signature in the audit log', async () => {
    await send({ headers: signed({}, { ...key, audience: AUDIENCE.toUpperCase() }) });
    const { rows } = await server.ownerDb
      .fork()
      .getConnection()
      .execute(`select coalesce(string_agg(entry, ' '), '') as text from audit_entry`, [], 'all')
      .then((found) => ({ rows: found as { text: string }[] }));
    expect(rows[0]?.text).toContain('signature.refused');
    expect(rows[0]?.text).not.toContain(key.secret);
    expect(rows[0]?.text).not.toMatch(/[0-9a-f]{64}/);
  });
});

it('a signature made by hand passes: the text is nothing but these ten lines', async () => {
  const timestamp = String(now());
  const nonce = randomUUID();
  const bodyHash = '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
  const text = `TG1-HMAC-SHA256\n${key.keyId}\n${timestamp}\n${nonce}\nPOST\n${AUDIENCE}\n/api/echo\n\n\n${bodyHash}`;
  const signature = createHmac('sha256', Buffer.from(key.secret, 'base64url')).update(text).digest('hex');
  const headers = { 'X-Signature': signature, 'X-Timestamp': timestamp, 'X-Nonce': nonce, 'X-Algorithm': 'sha256' };
  expect((await send({ target: '/api/echo', body: '{}', headers })).status).toBe(200);
});
