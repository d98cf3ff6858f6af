import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  randomBytes,
  randomUUID,
  timingSafeEqual,
} from 'node:crypto';
import { table } from '../cli/replay-report.ts';
import { createFernet } from '../security/fernet.ts';
import { decryptField, encryptField } from '../security/field-encryption.ts';
import { createKek } from '../security/kek.ts';
import { createKeyring, type Keyring } from '../security/keyring.ts';
import {
  newSigningSecret,
  readSignature,
  signingKeyFrom,
  signRequest,
  verifySignature,
} from '../security/request-signing.ts';
import { type Contest, compare } from './slices.ts';

const SSN = '536904399';

/** What the cryptography of the product costs beside bare node:crypto that does the same mathematics. */
export async function cryptoTable(): Promise<string> {
  const keyring = await keyringForBench();
  const results = [fields(keyring), fernet(), signatures()].map(compare);
  return table(
    ['ratio to bare node:crypto', 'bare us', 'ours us', 'ratio'],
    results.map(({ name, bareMicros, oursMicros, ratio }) => [
      name,
      bareMicros.toFixed(2),
      oursMicros.toFixed(2),
      `${ratio.toFixed(2)} x`,
    ]),
  );
}

/** A keyring with one key for fields, of this process alone. */
export async function keyringForBench(): Promise<Keyring> {
  const secret = () => ({ raw: randomBytes(32) });
  const keyring = createKeyring({
    keks: {
      session: createKek({ name: 'session', secret: secret() }),
      master: createKek({ name: 'master', secret: secret() }),
    },
  });
  await keyring.openWrapped(await keyring.generateWrapped('field'), { active: true });
  return keyring;
}

/** A field there and back: nonce, additional data, cipher, tag; ours adds key ids, checks and base64url. */
function fields(keyring: Keyring): Contest {
  const key = createSecretKey(randomBytes(32));
  const place = { table: 'profile', column: 'ssn', rowId: randomUUID() };
  const additional = Buffer.from(`${place.table}${place.column}${place.rowId}`);
  return {
    name: 'field: encrypt + decrypt (AES-256-GCM)',
    bare() {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      cipher.setAAD(additional);
      const ciphertext = Buffer.concat([cipher.update(SSN, 'utf8'), cipher.final()]);
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
      decipher.setAAD(additional);
      decipher.setAuthTag(cipher.getAuthTag());
      return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
    },
    ours: () => decryptField(keyring, encryptField(keyring, SSN, place), place),
  };
}

function fernet(): Contest {
  const bytes = randomBytes(32);
  const [macKey, cipherKey] = [createSecretKey(bytes.subarray(0, 16)), createSecretKey(bytes.subarray(16))];
  const ours = createFernet(`${bytes.toString('base64url')}=`);
  const message = Buffer.from(SSN);
  const macOf = (data: Buffer) => createHmac('sha256', macKey).update(data).digest();
  return {
    name: 'Fernet: encrypt + decrypt (AES-128-CBC, HMAC-SHA256)',
    bare() {
      const iv = randomBytes(16);
      const cipher = createCipheriv('aes-128-cbc', cipherKey, iv);
      const signed = Buffer.concat([iv, cipher.update(message), cipher.final()]);
      if (!timingSafeEqual(macOf(signed), macOf(signed))) throw new Error('unreachable');
      const decipher = createDecipheriv('aes-128-cbc', cipherKey, iv);
      return Buffer.concat([decipher.update(signed.subarray(16)), decipher.final()]);
    },
    ours: () => ours.decrypt(ours.encrypt(message)).message,
  };
}

/** A signed request, from the headers to the verdict; the bare work is SHA-256 of the body and the HMAC. */
function signatures(): Contest {
  const [keyId, key] = [randomUUID(), signingKeyFrom(newSigningSecret())];
  const body = Buffer.from(JSON.stringify({ type: 'withdrawal', amount: '250.00', currency: 'USD', category: 'rent' }));
  const parts = {
    ...{ keyId, timestamp: String(Math.floor(Date.now() / 1000)), nonce: randomUUID(), method: 'POST' },
    ...{
      audience: 'https://trade.example.com',
      path: '/api/transactions',
      query: '',
      idempotencyKey: randomUUID(),
      body,
    },
  };
  const signature = signRequest(key, parts);
  const request = {
    ...{ method: 'POST', target: parts.path, body },
    rawHeaders: [
      ...['Host', 'trade.example.com', 'Content-Type', 'application/json', 'Authorization', `Bearer ${'x'.repeat(43)}`],
      ...['X-Key-Id', keyId, 'X-Timestamp', parts.timestamp, 'X-Nonce', parts.nonce, 'X-Algorithm', 'sha256'],
      ...['X-Signature', signature, 'Idempotency-Key', parts.idempotencyKey],
    ],
  };
  const head = ['TG1-HMAC-SHA256', keyId, parts.timestamp, parts.nonce, 'POST', parts.audience, parts.path, ''].join(
    '\n',
  );
  const expected = Buffer.from(signature, 'hex');
  return {
    name: 'request signature: verify (SHA-256, HMAC-SHA256)',
    bare() {
      const bodyHash = createHash('sha256').update(body).digest('hex');
      const mac = createHmac('sha256', key).update(`${head}\n${parts.idempotencyKey}\n${bodyHash}`).digest();
      if (!timingSafeEqual(mac, expected)) throw new Error('the bench signs something else than the product');
    },
    ours() {
      const presented = readSignature(request, parts.audience);
      if ('refusal' in presented || !verifySignature(presented, { keyId, key }))
        throw new Error('the signature must hold');
    },
  };
}
