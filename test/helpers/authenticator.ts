import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

const FLAG = { userPresent: 0x01, userVerified: 0x04, attested: 0x40 };

export interface SigningOptions {
  origin: string;
  /** Host name of the relying party; the origin's by default. */
  rpId?: string;
  challenge: string;
  /** Signature counter to present; one more than the last one by default. */
  counter?: number;
  userVerified?: boolean;
  /** Presents another credential id than its own. */
  id?: string;
}

/** A security key in software: ES256, attestation `none` (Web Authentication Level 3, sections 6.1 and 6.5). */
export function createAuthenticator() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const credentialId = randomBytes(32);
  let lastCounter = 0;

  function clientData(type: string, { origin, challenge }: SigningOptions): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  }

  function authenticatorData(options: SigningOptions, attested: Buffer | undefined): Buffer {
    lastCounter = options.counter ?? lastCounter + 1;
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lastCounter);
    const flags =
      FLAG.userPresent |
      (options.userVerified === false ? 0 : FLAG.userVerified) |
      (attested === undefined ? 0 : FLAG.attested);
    const rpId = options.rpId ?? new URL(options.origin).hostname;
    return Buffer.concat([sha256(rpId), Buffer.from([flags]), counter, attested ?? Buffer.alloc(0)]);
  }

  return {
    id: credentialId.toString('base64url'),

    /** What `navigator.credentials.create` would give. */
    register(options: SigningOptions) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(credentialId.length);
      const attested = Buffer.concat([Buffer.alloc(16), length, credentialId, coseKey(publicKey)]);
      const attestationObject = cbor(
        new Map<string, unknown>([
          ['fmt', 'none'],
          ['attStmt', new Map()],
          ['authData', authenticatorData(options, attested)],
        ]),
      );
      return {
        id: credentialId.toString('base64url'),
        rawId: credentialId.toString('base64url'),
        type: 'public-key',
        response: {
          clientDataJSON: clientData('webauthn.create', options).toString('base64url'),
          attestationObject: attestationObject.toString('base64url'),
          transports: ['usb'],
        },
        clientExtensionResults: {},
      };
    },

    /** What `navigator.credentials.get` would give. */
    assert(options: SigningOptions) {
      const data = authenticatorData(options, undefined);
      const client = clientData('webauthn.get', options);
      const signature = sign('sha256', Buffer.concat([data, sha256(client)]), privateKey);
      const id = options.id ?? credentialId.toString('base64url');
      return {
        id,
        rawId: id,
        type: 'public-key',
        response: {
          clientDataJSON: client.toString('base64url'),
          authenticatorData: data.toString('base64url'),
          signature: signature.toString('base64url'),
        },
        clientExtensionResults: {},
      };
    },
  };
}

export type Authenticator = ReturnType<typeof createAuthenticator>;

/** COSE_Key of an ES256 key (RFC 9053 section 7.1). */
function coseKey(key: KeyObject): Buffer {
  const { x, y } = key.export({ format: 'jwk' }) as { x: string; y: string };
  return cbor(
    new Map<number, unknown>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, Buffer.from(x, 'base64url')],
      [-3, Buffer.from(y, 'base64url')],
    ]),
  );
}

/** CBOR (RFC 8949) of the few types that an attestation object has. */
function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (value instanceof Map) {
    return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, entry]) => [cbor(key), cbor(entry)])]);
  }
  throw new Error('no CBOR for this value');
}

function head(major: number, n: number): Buffer {
  if (n < 24) return Buffer.from([(major << 5) | n]);
  if (n < 256) return Buffer.from([(major << 5) | 24, n]);
  return Buffer.from([(major << 5) | 25, n >> 8, n & 255]);
}

function sha256(data: string | Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}
