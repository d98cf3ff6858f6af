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

/** Members of a line without a proof. */
const REQUIRED = 14;

/** Reads a line; null when it is not one. What is in its members is judged elsewhere, but their types hold. */
export function parseLine(text: string): Line | null {
  let line: Line;
  try {
    line = JSON.parse(text) as Line;
  } catch {
    return null;
  }
  if (line === null || typeof line !== 'object' || Array.isArray(line)) return null;
  // All that are required are looked at below, so the number tells that there is no other.
  let members = 0;
  for (const _ in line) members += 1;
  const isComplete =
    members === REQUIRED + (line.proof === undefined ? 0 : 1) &&
    Number.isSafeInteger(line.seq) &&
    line.seq >= 0 &&
    isTextOrNull(line.entry) &&
    isHex32(line.prevHash) &&
    isHex32(line.hash) &&
    isHex32(line.leafHash) &&
    isHex32(line.sealHmac) &&
    (line.entryHmac === null || isHex32(line.entryHmac)) &&
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

/**
 * Long enough for a hash or a MAC. That its digits are hexadecimal and of the right case is not looked at for each of a
 * million lines: what was computed is compared with it, and is.
 */
const isHex32 = (value: unknown): boolean => typeof value === 'string' && value.length === 64;
