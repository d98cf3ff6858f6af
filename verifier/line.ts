import { isHash } from './hashes.ts';

/** One line of an export: a seal, the entry it seals, and what the database keeps beside them. */
export interface Line {
  seq: number;
  /** Canonical JSON, hashed exactly as it stands; null for an entry that is gone. */
  entry: string | null;
  prevHash: string;
  hash: string;
  leafHash: string;
  entryHmac: string | null;
  id: string;
  n: string;
  era: number;
  xid: string;
  sealedAt: string;
  horizon: string | null;
  sealHmac: string;
  columns: Columns | null;
  /** Evidence bundles only: the inclusion proof, in base64. */
  proof?: string[];
}

/** Columns for searching; each has to equal the entry's member. */
export interface Columns {
  id: string | null;
  at: string | null;
  action: string | null;
  actor: string | null;
  subject: string | null;
  outcome: string | null;
  severity: string | number | null;
}

const ALLOWED = new Set([
  ...['seq', 'entry', 'prevHash', 'hash', 'leafHash', 'entryHmac', 'id', 'n', 'era', 'xid', 'sealedAt', 'horizon'],
  ...['sealHmac', 'columns', 'proof'],
]);
const REQUIRED = ALLOWED.size - 1;

/** Reads a line; null when it is not one. What is in its members is judged elsewhere, but their types hold. */
export function parseLine(text: string): Line | null {
  let line: Line;
  try {
    line = JSON.parse(text) as Line;
  } catch {
    return null;
  }
  if (line === null || typeof line !== 'object' || Array.isArray(line)) return null;
  let members = 0;
  for (const name in line) {
    if (!ALLOWED.has(name)) return null;
    members += 1;
  }
  const isComplete =
    members === REQUIRED + (line.proof === undefined ? 0 : 1) &&
    Number.isSafeInteger(line.seq) &&
    line.seq >= 0 &&
    isTextOrNull(line.entry) &&
    isHash(line.prevHash) &&
    isHash(line.hash) &&
    isHash(line.leafHash) &&
    isHash(line.sealHmac) &&
    (line.entryHmac === null || isHash(line.entryHmac)) &&
    typeof line.id === 'string' &&
    typeof line.n === 'string' &&
    Number.isSafeInteger(line.era) &&
    typeof line.xid === 'string' &&
    typeof line.sealedAt === 'string' &&
    isTextOrNull(line.horizon) &&
    line.columns !== undefined &&
    typeof line.columns === 'object' &&
    (line.proof === undefined || (Array.isArray(line.proof) && line.proof.every((part) => typeof part === 'string')));
  return isComplete ? line : null;
}

const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string';
