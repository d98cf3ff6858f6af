import { createHash, createHmac, createSecretKey, type KeyObject, randomUUID, timingSafeEqual } from 'node:crypto';
import { createSignatureCheck } from '../api/middleware/signature.ts';
import { table } from '../cli/replay-report.ts';
import { createAuditLog } from '../db/audit.ts';
import type { FrontDoorEvents } from '../db/front-door-events.ts';
import { createOrm, type Database } from '../db/orm.ts';
import { issueSigningKey } from '../db/signing-keys.ts';
import { run } from '../db/sql.ts';
import type { Keyring } from '../security/keyring.ts';
import { type SignedParts, signingKeyFrom, signRequest } from '../security/request-signing.ts';
import { keyringForBench } from './crypto.ts';
import { median } from './slices.ts';

const CALLERS = 8;
const ROUNDS = 7;
const CALLS = 2_000;
const AUDIENCE = 'https://trade.example.com';

/**
 * What it costs to hold a signed request against its signature and to use up its nonce, beside the least that must be
 * done for it: SHA-256 of the body, one HMAC, and one insert of the nonce into the same partitioned table.
 */
export async function signatureTable(given: { ownerUrl: string; auditKey: KeyObject }): Promise<string> {
  const db = await createOrm({ databaseUrl: given.ownerUrl, poolMax: CALLERS + 2, applicationName: 'bench' });
  try {
    const keyring = await keyringForBench();
    const signer = await createSigner(db, keyring, createAuditLog({ auditKey: given.auditKey }));
    const rates = { bare: [] as number[], ours: [] as number[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      rates.bare.push(await perSecond(signer.bare));
      rates.ours.push(await perSecond(signer.ours));
    }
    const [bare, ours] = [median(rates.bare), median(rates.ours)];
    return table(
      ['signed request', 'bare per s', 'ours per s', 'ratio'],
      [['verify and use up the nonce', bare.toFixed(0), ours.toFixed(0), `${(ours / bare).toFixed(2)} x`]],
    );
  } finally {
    await db.close();
  }
}

async function createSigner(db: Database, keyring: Keyring, audit: ReturnType<typeof createAuditLog>) {
  const userId = randomUUID();
  await run(
    db.fork(),
    `insert into app_user (id, email, email_key, full_name, role) values ($1, $2, $2, 'Bench', 'customer')`,
    [userId, `${userId}@example.test`],
  );
  const issued = await db.transaction((tx) =>
    issueSigningKey(tx, { keyring, audit }, { userId, by: { actor: { kind: 'system' } } }),
  );
  const { keyId } = issued.key;
  const key = signingKeyFrom(issued.secret);
  const bareKey = createSecretKey(Buffer.from(issued.secret, 'base64url'));
  const body = Buffer.from(JSON.stringify({ type: 'withdrawal', amount: '250.00', currency: 'USD', category: 'rent' }));
  const events: FrontDoorEvents = { record: async () => {} } as unknown as FrontDoorEvents;
  const { check } = createSignatureCheck({ db, keyring, audit, events, audience: AUDIENCE });
  const principal = { userId, sessionId: randomUUID() } as unknown as Parameters<typeof check>[1];
  const facts = { ip: '192.0.2.1', userAgent: null, requestId: 'bench' } as unknown as Parameters<typeof check>[2];
  const partsOf = (): SignedParts => ({
    keyId,
    timestamp: String(Math.floor(Date.now() / 1000)),
    nonce: randomUUID(),
    method: 'POST',
    audience: AUDIENCE,
    path: '/api/transactions',
    query: '',
    idempotencyKey: randomUUID(),
    body,
  });

  return {
    async bare(): Promise<void> {
      const parts = partsOf();
      const signature = Buffer.from(signRequest(key, parts), 'hex');
      const head = ['TG1-HMAC-SHA256', parts.keyId, parts.timestamp, parts.nonce, 'POST', AUDIENCE, parts.path, ''];
      const bodyHash = createHash('sha256').update(body).digest('hex');
      const text = `${head.join('\n')}\n${parts.idempotencyKey}\n${bodyHash}`;
      if (!timingSafeEqual(createHmac('sha256', bareKey).update(text).digest(), signature)) {
        throw new Error('the bench signs something else than the product');
      }
      const inserted = await run(
        db.fork(),
        'insert into request_nonce (key_id, nonce, signed_at) values ($1, $2, to_timestamp($3)) on conflict do nothing',
        [parts.keyId, parts.nonce, parts.timestamp],
      );
      if (inserted !== 1) throw new Error('a nonce was drawn twice');
    },
    async ours(): Promise<void> {
      const parts = partsOf();
      const signature = signRequest(key, parts);
      const rawHeaders = [
        ...[
          'Host',
          'trade.example.com',
          'Content-Type',
          'application/json',
          'Authorization',
          `Bearer ${'x'.repeat(43)}`,
        ],
        ...['X-Key-Id', parts.keyId, 'X-Timestamp', parts.timestamp, 'X-Nonce', parts.nonce, 'X-Algorithm', 'sha256'],
        ...['X-Signature', signature, 'Idempotency-Key', parts.idempotencyKey],
      ];
      await check({ method: 'POST', target: parts.path, body, rawHeaders }, principal, facts, '/api/transactions');
    },
  };
}

async function perSecond(call: () => Promise<void>): Promise<number> {
  const started = performance.now();
  let left = CALLS;
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      while (left > 0) {
        left -= 1;
        await call();
      }
    }),
  );
  return CALLS / ((performance.now() - started) / 1000);
}
