import { createHash, createHmac, type KeyObject } from 'node:crypto';
import { parseCanonicalJson } from './canonical-json.ts';
import { createHmacCheck, createSha256 } from './sha256.ts';

export { canonicalJson } from './canonical-json.ts';

const LOG_VERSION = 'tradeguard-log/v1';
/** RFC 6962 section 2.1: the byte before a leaf, so that no leaf can pass for an inner node. */
const LEAF_PREFIX = Buffer.of(0);
const HASH_BYTES = 32;

/** A sealed entry as the database holds it. */
export type ChainRow = {
  /** From 0, without gaps: the entry's leaf index in the Merkle tree. */
  seq: number;
  /** Canonical JSON, hashed exactly as stored; null where a seal has no entry any more. */
  entry: string | null;
  prevHash: Uint8Array;
  hash: Uint8Array;
  leafHash: Uint8Array;
  entryHmac: Uint8Array | null;
  /** Columns kept beside the text for queries; each has to equal the entry's member of that name. */
  columns?: Readonly<Record<string, unknown>>;
};

export type ChainFaultReason =
  | 'gap'
  | 'out_of_order'
  | 'entry_missing'
  | 'prev_mismatch'
  | 'hash_mismatch'
  | 'leaf_mismatch'
  | 'hmac_mismatch'
  | 'seal_mismatch'
  | 'not_canonical'
  | 'column_mismatch'
  | 'truncated'
  | 'head_mismatch';

export type ChainFault = { seq: number; reason: ChainFaultReason };

/** The end of a chain: the last sequence number (-1 for an empty log) and its hash (the genesis of an empty one). */
export type ChainHead = { seq: number; hash: Buffer };

/**
 * What the first entry links to: SHA-256 of the log's version and its origin, so an entry cannot be moved to another
 * log.
 *
 * @param origin names this log, for instance the public origin; one line
 * @throws TypeError for an empty origin or one of several lines
 */
export function genesisHash(origin: string): Buffer {
  if (origin === '' || /[\r\n]/.test(origin)) throw new TypeError('the origin of a log is one non-empty line');
  return digestOf(`${LOG_VERSION}\n`, origin);
}

/** `SHA-256(prevHash ‖ entry)`. @throws RangeError when prevHash is not 32 bytes */
export function chainHash(prevHash: Uint8Array, entry: string): Buffer {
  if (prevHash.length !== HASH_BYTES) throw new RangeError('a previous hash has 32 bytes');
  return digestOf(prevHash, entry);
}

/** The entry's leaf in the Merkle tree over the log: `SHA-256(0x00 ‖ entry)` (RFC 6962 section 2.1). */
export function leafHash(entry: string): Buffer {
  return digestOf(LEAF_PREFIX, entry);
}

/**
 * HMAC-SHA256 of the entry's text under a key that is kept outside the database: shows that an entry was written by a
 * holder of the key, and not into the table by hand.
 */
export function entryHmac(auditKey: KeyObject, entry: string): Buffer {
  return createHmac('sha256', auditKey).update(entry).digest();
}

export type ChainVerifierOptions<Row extends ChainRow = ChainRow> = {
  origin: string;
  /** Starts behind an entry that was verified before; without it at the genesis. */
  after?: ChainHead;
  /** The audit key and earlier ones. Without them (an auditor who has no key) the MACs are not checked. */
  auditKeys?: readonly KeyObject[];
  /** Checks what else a sealer recorded beside the entry; false is a `seal_mismatch`. */
  checkSeal?: (row: Row) => boolean;
  /**
   * A head that was published elsewhere. With it the verifier also sees that the last entries were cut off or that the
   * whole chain was made anew, which the rows alone cannot show.
   */
  published?: ChainHead;
};

/**
 * Verifies a chain row by row in constant memory. `push` gives the row's fault or null; after a fault the verifier says
 * nothing more, since every later link hangs on the broken one.
 */
export function createChainVerifier<Row extends ChainRow>({
  origin,
  after,
  auditKeys,
  checkSeal,
  published,
}: ChainVerifierOptions<Row>) {
  const head: ChainHead = { seq: after?.seq ?? -1, hash: Buffer.from(after?.hash ?? genesisHash(origin)) };
  let fault: ChainFault | null = null;
  let checked = 0;
  const sha256 = createSha256();
  const macChecks = auditKeys?.map(createHmacCheck);

  function faultOf(row: Row): ChainFaultReason | null {
    if (row.seq <= head.seq) return 'out_of_order';
    if (row.seq !== head.seq + 1) return 'gap';
    const { entry, entryHmac: storedHmac } = row;
    if (entry === null) return 'entry_missing';
    if (!sameBytes(row.prevHash, head.hash)) return 'prev_mismatch';
    if (!sameBytes(row.hash, sha256(head.hash, entry))) return 'hash_mismatch';
    if (!sameBytes(row.leafHash, sha256(LEAF_PREFIX, entry))) return 'leaf_mismatch';
    if (published?.seq === row.seq && !sameBytes(row.hash, published.hash)) return 'head_mismatch';
    if (macChecks && !(storedHmac && macChecks.some((isMac) => isMac(entry, storedHmac)))) return 'hmac_mismatch';
    if (checkSeal && !checkSeal(row)) return 'seal_mismatch';
    return row.columns ? columnFault(entry, row.columns) : null;
  }

  return {
    push(row: Row): ChainFault | null {
      if (fault) return fault;
      const reason = faultOf(row);
      // A gap is named by the first entry that is missing.
      if (reason) fault = { seq: reason === 'gap' ? head.seq + 1 : row.seq, reason };
      else {
        head.seq = row.seq;
        head.hash.set(row.hash);
        checked += 1;
      }
      return fault;
    },

    /** Ends the run; the head is that of the last good entry. */
    end(): { valid: boolean; checked: number; head: ChainHead; fault: ChainFault | null } {
      if (!fault && published && head.seq < published.seq) fault = { seq: head.seq + 1, reason: 'truncated' };
      return { valid: fault === null, checked, head, fault };
    },
  };
}

export type ChainVerifier<Row extends ChainRow = ChainRow> = ReturnType<typeof createChainVerifier<Row>>;

/** {@link createChainVerifier} over a stream of rows, ending at the first fault. */
export async function verifyChain<Row extends ChainRow>(
  rows: AsyncIterable<Row> | Iterable<Row>,
  options: ChainVerifierOptions<Row>,
): Promise<ReturnType<ChainVerifier['end']>> {
  const verifier = createChainVerifier(options);
  for await (const row of rows) {
    if (verifier.push(row)) break;
  }
  return verifier.end();
}

function columnFault(entry: string, columns: Readonly<Record<string, unknown>>): ChainFaultReason | null {
  let members: Record<string, unknown>;
  try {
    members = parseCanonicalJson(entry) as Record<string, unknown>;
  } catch {
    return 'not_canonical';
  }
  if (members === null || typeof members !== 'object') return 'not_canonical';
  for (const [name, stored] of Object.entries(columns)) {
    if ((members[name] ?? null) !== (stored ?? null)) return 'column_mismatch';
  }
  return null;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function digestOf(...parts: (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
