import { decryptField, encryptField } from './field-encryption.ts';
import type { Keyring } from './keyring.ts';

/** One personal member of an object: the column its token lies in, and what is shown instead of its value. */
export type PiiMember = { column: string; mask: (value: string) => string };

/** Which members of an object are personal; every other member passes through untouched. */
export type PiiSchema<K extends string = string> = Readonly<Record<K, PiiMember>>;

export type PiiRow = { table: string; rowId: string };

/**
 * Encrypts the personal members of an object, each bound to its column and row. Members that are null or absent stay so.
 *
 * @throws TypeError for a personal member that is no text, and what `encryptField` throws
 */
export function encryptMembers<T extends object>(keyring: Keyring, schema: PiiSchema, object: T, row: PiiRow): T {
  return mapMembers(schema, object, (value, { column }) => encryptField(keyring, value, { ...row, column }));
}

/**
 * Decrypts the personal members of an object that `encryptMembers` made, all of them or only those named: what nobody
 * asked for stays encrypted and is left out.
 *
 * @throws FieldDecryptionError of the first member that does not open
 */
export function decryptMembers<T extends object>(
  keyring: Keyring,
  schema: PiiSchema,
  object: T,
  row: PiiRow,
  only: readonly string[] = Object.keys(schema),
): T {
  const wanted = Object.entries(object).filter(([name]) => !Object.hasOwn(schema, name) || only.includes(name));
  return mapMembers(schema, Object.fromEntries(wanted) as T, (token, { column }) =>
    decryptField(keyring, token, { ...row, column }),
  );
}

/** The object with every personal member masked, as its owner is shown it. */
export function maskMembers<T extends object>(schema: PiiSchema, object: T): T {
  return mapMembers(schema, object, (value, { mask }) => mask(value));
}

function mapMembers<T extends object>(
  schema: PiiSchema,
  object: T,
  map: (value: string, member: PiiMember) => string,
): T {
  const mapped = Object.entries(object).map(([name, value]) => {
    const member = Object.hasOwn(schema, name) ? schema[name] : undefined;
    if (member === undefined || value === null || value === undefined) return [name, value];
    if (typeof value !== 'string') throw new TypeError(`the personal member ${name} is no text`);
    return [name, map(value, member)];
  });
  return Object.fromEntries(mapped) as T;
}
