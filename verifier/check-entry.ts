import { createSecretKey, type KeyObject } from 'node:crypto';
import { type Json, parseCanonical } from './canonical.ts';
import { createEntryHasher, entryMac, sealMac } from './hashes.ts';
import type { Columns, Line } from './line.ts';

/** What one line can be wrong in, seen by itself and beside the line before it. */
export type Symptom =
  /** A seal without an entry. */
  | 'gone'
  /** Neither hash nor leaf are those of the text. */
  | 'text'
  /** The leaf is that of the text, the hash is not. */
  | 'hash'
  /** The hash is that of the text, the leaf is not. */
  | 'leaf'
  /** The previous hash is not that of the line before. */
  | 'link'
  /** The number is not the one after the line before. */
  | 'number'
  | 'not_canonical'
  | 'column'
  | 'entry_mac'
  | 'seal_mac'
  | 'proof';

export interface CheckedEntry {
  symptoms: Symptom[];
  /** The name of the first column that differs from the text. */
  column: string | null;
  /** SHA-256(0x00 ‖ entry) of the text as it is; null when it is gone. */
  leaf: string | null;
}

const NOTHING_WRONG: readonly Symptom[] = [];

/**
 * Checks a line by itself: that hash and leaf are those of its text, that the text is canonical and the columns equal its
 * members, and with the audit keys (base64) both MACs.
 */
export function createEntryCheck(auditKeys: readonly string[]) {
  const hasher = createEntryHasher();
  const keys = auditKeys.map((key) => createSecretKey(Buffer.from(key, 'base64')));
  const isMac = (mac: string | null, of: (key: KeyObject) => string) => keys.some((key) => of(key) === mac);
  const sound: CheckedEntry = { symptoms: NOTHING_WRONG as Symptom[], column: null, leaf: null };

  /**
   * What it returns for a sound line is overwritten by the next call.
   *
   * @param isArchived whether the signed manifest says that the entry is in cold storage
   */
  function check(line: Line, isArchived = false): CheckedEntry {
    const { entry } = line;
    if (entry === null && isArchived) return checkArchived(line);
    if (entry === null) return { symptoms: ['gone'], column: null, leaf: null };
    hasher.take(entry);
    const isHashRight = hasher.chain(line.prevHash) === line.hash;
    const leaf = hasher.leaf();
    const isLeafRight = leaf === line.leafHash;
    const members = parseCanonical(entry);
    const isObject =
      members !== undefined && members !== null && typeof members === 'object' && !Array.isArray(members);
    const column = isObject ? columnFault(members, line) : null;
    const isEntryMac =
      keys.length === 0 ? line.entryHmac !== null : isMac(line.entryHmac, (key) => entryMac(key, entry));
    const isSealMac = keys.length === 0 || isMac(line.sealHmac, (key) => sealMac(key, line));
    if (isHashRight && isLeafRight && isObject && column === null && isEntryMac && isSealMac) {
      sound.leaf = leaf;
      return sound;
    }
    const symptoms: Symptom[] = [];
    if (!isHashRight) symptoms.push(isLeafRight ? 'hash' : 'text');
    else if (!isLeafRight) symptoms.push('leaf');
    if (!isObject) symptoms.push('not_canonical');
    if (column !== null) symptoms.push('column');
    if (!isEntryMac) symptoms.push('entry_mac');
    if (!isSealMac) symptoms.push('seal_mac');
    return { symptoms, column, leaf };
  }

  /** Its links, its leaf in the tree and its seal's MAC are there without its text. */
  function checkArchived(line: Line): CheckedEntry {
    const isSealMac = keys.length === 0 || isMac(line.sealHmac, (key) => sealMac(key, line));
    if (!isSealMac) return { symptoms: ['seal_mac'], column: null, leaf: null };
    sound.leaf = null;
    return sound;
  }

  return { check, isEntryGenuine: (entry: string, mac: string) => isMac(mac, (key) => entryMac(key, entry)) };
}

/** The hash that a text has behind a previous one. */
export function chainHashOf(prevHash: string, entry: string): string {
  const hasher = createEntryHasher();
  hasher.take(entry);
  return hasher.chain(prevHash);
}

function columnFault(members: { [key: string]: Json }, { id, columns }: Line): string | null {
  if (columns === null) return 'columns';
  if (columns.id !== id || members.id !== id) return 'id';
  const expected: Omit<Columns, 'id'> = {
    at: (members.at ?? null) as string | null,
    action: (members.action ?? null) as string | null,
    actor: idOf(members.actor),
    subject: idOf(members.subject),
    outcome: (members.outcome ?? null) as string | null,
    severity: (members.severity ?? null) as string | null,
  };
  for (const name in expected) {
    const key = name as keyof typeof expected;
    if ((columns[key] ?? null) !== expected[key]) return name;
  }
  return null;
}

function idOf(value: Json | undefined): string | null {
  if (value === undefined || value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  return (value.id ?? null) as string | null;
}
