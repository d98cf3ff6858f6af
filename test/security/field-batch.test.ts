import { beforeAll, describe, expect, it } from 'vitest';
import { decryptMembers, encryptMembers, maskMembers, type PiiSchema } from '../../security/field-batch.ts';
import { FieldDecryptionError } from '../../security/field-encryption.ts';
import type { Keyring } from '../../security/keyring.ts';
import { maskAccount, maskSsn } from '../../security/masks.ts';
import { keyringFor } from './keyring-fixture.ts';

const SCHEMA = {
  ssn: { column: 'ssn', mask: maskSsn },
  accountNumber: { column: 'account_number', mask: maskAccount },
} as const satisfies PiiSchema;
const ROW = { table: 'profile', rowId: '0199c0de-0000-7000-8000-000000000001' };
const PERSON = { name: 'Ada', ssn: '536904399', accountNumber: '400012346789', age: 36, note: null };

let keyring: Keyring;
beforeAll(async () => {
  keyring = await keyringFor('field');
});

describe('[F9] a batch over an object', () => {
  it('encrypts the personal members, leaves the others, and gives all back', () => {
    const stored = encryptMembers(keyring, SCHEMA, PERSON, ROW);
    expect(stored).toMatchObject({ name: 'Ada', age: 36, note: null });
    expect(stored.ssn).toMatch(/^[\w-]{60,}$/);
    expect(JSON.stringify(stored)).not.toContain(PERSON.ssn);
    expect(decryptMembers(keyring, SCHEMA, stored, ROW)).toEqual(PERSON);
  });

  it('[F8] decrypts only what is named and hands nothing else of it out', () => {
    const stored = encryptMembers(keyring, SCHEMA, PERSON, ROW);
    const { accountNumber: _, ...rest } = PERSON;
    expect(decryptMembers(keyring, SCHEMA, stored, ROW, ['ssn'])).toEqual(rest);
  });

  it('keeps null and absent members as they are', () => {
    const partial: { ssn: string | null; accountNumber?: string } = { ssn: null };
    expect(encryptMembers(keyring, SCHEMA, partial, ROW)).toEqual({ ssn: null });
  });

  it('[F11] throws for a token of another member or another row', () => {
    const stored = encryptMembers(keyring, SCHEMA, PERSON, ROW);
    const swapped = { ...stored, ssn: stored.accountNumber };
    expect(() => decryptMembers(keyring, SCHEMA, swapped, ROW)).toThrow(FieldDecryptionError);
    const elsewhere = { ...ROW, rowId: '0199c0de-0000-7000-8000-000000000002' };
    expect(() => decryptMembers(keyring, SCHEMA, stored, elsewhere)).toThrow('profile.ssn: not_authentic');
  });

  it('[F10] masks what is personal', () => {
    expect(maskMembers(SCHEMA, PERSON)).toEqual({ ...PERSON, ssn: 'XXX-XX-4399', accountNumber: '****6789' });
  });

  it('refuses a personal member that is no text', () => {
    expect(() => encryptMembers(keyring, SCHEMA, { ssn: 536904399 }, ROW)).toThrow(TypeError);
  });
});
