import { beforeAll, describe, expect, it } from 'vitest';
import { decryptField, encryptField, FieldDecryptionError } from '../../security/field-encryption.ts';
import type { Keyring } from '../../security/keyring.ts';
import {
  newSubjectKey,
  openForSubject,
  openSubjectKey,
  type SubjectKey,
  sealForSubject,
} from '../../security/subject-cipher.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { keyringFor } from './keyring-fixture.ts';

const EMAIL = { purpose: 'audit_entry', member: 'email' } as const;
const ADDRESS = 'ada@example.com';

describe('a key of one person', () => {
  let keyring: Keyring;
  const subject = uuidV7();
  let key: SubjectKey;
  beforeAll(async () => {
    keyring = await keyringFor('field');
    key = newSubjectKey(keyring, subject).key;
  });

  const codeOf = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      if (error instanceof FieldDecryptionError) return error.code;
      throw error;
    }
    return 'opened';
  };

  it.each(['', ADDRESS, 'Ada \u{1f600} Ünal', 'x'.repeat(10_000)])('opens what it sealed: %j', (text) => {
    expect(openForSubject(key, EMAIL, sealForSubject(key, EMAIL, text))).toBe(text);
  });

  it('makes another token every time, in the form of a field token, with nothing readable', () => {
    const [one, two] = [sealForSubject(key, EMAIL, ADDRESS), sealForSubject(key, EMAIL, ADDRESS)];
    expect(one).not.toBe(two);
    const bytes = Buffer.from(one, 'base64url');
    expect([...bytes.subarray(0, 2)]).toEqual([1, 1]);
    expect(bytes.subarray(2, 18).toString('hex')).toBe(subject.replaceAll('-', ''));
    expect(bytes).toHaveLength(2 + 16 + 12 + ADDRESS.length + 16);
    expect(bytes.includes(ADDRESS)).toBe(false);
  });

  it('opens a token for its own member alone', () => {
    const token = sealForSubject(key, EMAIL, ADDRESS);
    expect(codeOf(() => openForSubject(key, { ...EMAIL, member: 'fullName' }, token))).toBe('not_authentic');
  });

  it('opens no token of another person, and none that was changed', () => {
    const other = newSubjectKey(keyring, uuidV7()).key;
    const token = sealForSubject(key, EMAIL, ADDRESS);
    expect(codeOf(() => openForSubject(other, EMAIL, token))).toBe('not_authentic');
    // Also where somebody gives the other person this one's key.
    expect(codeOf(() => openForSubject({ ...other, key: key.key }, EMAIL, token))).toBe('not_authentic');
    const bytes = Buffer.from(token, 'base64url');
    for (const [at, byte] of bytes.entries()) {
      const changed = Buffer.from(bytes);
      changed[at] = byte ^ 1;
      expect(codeOf(() => openForSubject(key, EMAIL, changed.toString('base64url')))).not.toBe('opened');
    }
    expect(codeOf(() => openForSubject(key, EMAIL, 'not a token'))).toBe('malformed');
  });

  it('is wrapped by the keyring, for its person alone', () => {
    const { wrapped, key: made } = newSubjectKey(keyring, subject);
    expect(openSubjectKey(keyring, subject, wrapped).key.equals(made.key)).toBe(true);
    expect(codeOf(() => openSubjectKey(keyring, uuidV7(), wrapped))).toBe('not_authentic');
  });

  it('is of no use to the keyring, whose keys are of no use for its tokens', () => {
    const token = sealForSubject(key, EMAIL, ADDRESS);
    const place = { table: 'audit_entry', column: 'sealed.email', rowId: subject };
    expect(codeOf(() => decryptField(keyring, token, place))).toBe('unknown_key');
    expect(codeOf(() => openForSubject(key, EMAIL, encryptField(keyring, ADDRESS, place)))).toBe('not_authentic');
  });
});
