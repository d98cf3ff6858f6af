import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFernet, decryptWithAny, FernetError, type FernetErrorCode } from '../../security/fernet.ts';

/** The key, messages and tokens of the published specification (github.com/fernet/spec). */
const KEY = 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=';
const HELLO = 'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==';
const MADE = Date.parse('1985-10-26T01:20:00-07:00');

const fernet = createFernet(KEY);
const codeOf = (open: () => unknown): FernetErrorCode | undefined => {
  try {
    open();
    return undefined;
  } catch (error) {
    if (error instanceof FernetError) return error.code;
    throw error;
  }
};

describe('[F13] fernet, by the vectors of its specification', () => {
  it('makes the token of generate.json', () => {
    const iv = Uint8Array.from({ length: 16 }, (_, n) => n);
    expect(fernet.encrypt('hello', { now: MADE, iv })).toBe(HELLO);
  });

  it('opens the token of verify.json', () => {
    const { message, madeAt } = fernet.decrypt(HELLO, { now: MADE + 1000, ttlSeconds: 60 });
    expect(message.toString()).toBe('hello');
    expect(madeAt).toBe(MADE / 1000);
  });

  it.each<[what: string, token: string, code: FernetErrorCode, now?: string]>([
    [
      'incorrect mac',
      'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==',
      'not_authentic',
    ],
    ['too short', 'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==', 'malformed'],
    [
      'invalid base64',
      '%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==',
      'malformed',
    ],
    [
      'payload size not multiple of block size',
      'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm',
      'malformed',
    ],
    [
      'payload padding error',
      'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==',
      'malformed',
    ],
    [
      'far-future TS (unacceptable clock skew)',
      'gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==',
      'from_future',
    ],
    [
      'expired TTL',
      'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==',
      'expired',
      '1985-10-26T01:21:31-07:00',
    ],
    [
      'incorrect IV (causes padding error)',
      'gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==',
      'malformed',
    ],
  ])('refuses the token of invalid.json: %s', (_what, token, code, now = '1985-10-26T01:20:01-07:00') => {
    expect(codeOf(() => fernet.decrypt(token, { now: Date.parse(now), ttlSeconds: 60 }))).toBe(code);
  });
});

describe('[F13] fernet', () => {
  it('opens whatever it made, bytes and text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(new Uint8Array(fernet.decrypt(fernet.encrypt(bytes)).message)).toEqual(bytes);
      }),
    );
    expect(fernet.decrypt(fernet.encrypt('123-45-6789 Zoë')).message.toString()).toBe('123-45-6789 Zoë');
  });

  it('opens one of many megabytes', () => {
    const message = Buffer.alloc(16 * 1024 * 1024, 7);
    expect(Buffer.from(fernet.decrypt(fernet.encrypt(message)).message).equals(message)).toBe(true);
  });

  it('opens no token of which a bit was changed', () => {
    const bytes = Buffer.from(HELLO, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const token = changed.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
      expect(
        codeOf(() => fernet.decrypt(token)),
        `bit ${bit}`,
      ).toBeDefined();
    }
  });

  it.each([
    ['no padding', HELLO.slice(0, -2)],
    ['more padding', `${HELLO}==`],
    ['the other alphabet', HELLO.replace('-', '+').replace('_', '/')],
    ['a space', ` ${HELLO}`],
    ['a line feed', `${HELLO}\n`],
    ['bits behind the end', `${HELLO.slice(0, -3)}B==`],
    ['nothing', ''],
  ])('takes one spelling of a token, not one with %s', (_what, token) => {
    expect(codeOf(() => fernet.decrypt(token))).toBe('malformed');
  });

  it('knows one version', () => {
    const bytes = Buffer.from(HELLO, 'base64url');
    bytes[0] = 0x81;
    expect(codeOf(() => fernet.decrypt(`${bytes.toString('base64url')}==`))).toBe('unsupported');
  });

  it('looks at the age only where a time to live is given, to the second', () => {
    const token = fernet.encrypt('x', { now: MADE });
    expect(fernet.decrypt(token).message.toString()).toBe('x');
    const at = (seconds: number) => () => fernet.decrypt(token, { now: MADE + seconds * 1000, ttlSeconds: 60 });
    expect(codeOf(at(60))).toBeUndefined();
    expect(codeOf(at(61))).toBe('expired');
    expect(codeOf(at(-60))).toBeUndefined();
    expect(codeOf(at(-61))).toBe('from_future');
    expect(codeOf(() => fernet.decrypt(token, { now: MADE + 1000, ttlSeconds: 0 }))).toBe('expired');
    const ages = fernet.encrypt('x', { now: 2 ** 52 * 1000 });
    expect(fernet.decrypt(ages).madeAt).toBe(2 ** 52);
  });

  it.each(['', 'short', `${KEY}A`, KEY.slice(0, -1), KEY.replace('_', '/'), Buffer.alloc(31).toString('base64')])(
    'refuses the key %j',
    (key) => {
      expect(codeOf(() => createFernet(key))).toBe('key_invalid');
    },
  );

  it('opens with any of several keys, and says nothing of keys and content in its errors', () => {
    const older = createFernet(Buffer.alloc(32, 7).toString('base64'));
    expect(decryptWithAny([older, fernet], HELLO).message.toString()).toBe('hello');
    expect(codeOf(() => decryptWithAny([older], HELLO))).toBe('not_authentic');
    expect(codeOf(() => decryptWithAny([older, fernet], 'gA=='))).toBe('malformed');
    expect(() => older.decrypt(HELLO)).toThrow('fernet: not_authentic');
  });
});
