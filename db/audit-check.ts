import type { KeyObject } from 'node:crypto';
import type { ClientBase } from 'pg';
import { LEAF_PREFIX } from '../security/audit-chain.ts';
import { sealMessage } from '../security/audit-seal-mac.ts';
import { createCompactRange, perfectSubtrees } from '../security/merkle.ts';
import { createMerkleTile, TILE_LEVELS, TILE_WIDTH } from '../security/merkle-tile.ts';
import { createHmacCheck, createSha256 } from '../security/sha256.ts';
import { columnSymptom } from './audit-entry-columns.ts';
import { FIELD, type RowFields } from './audit-row-fields.ts';
import { createRowDecoder, type SealedRow, sealedRowsByChunk } from './audit-rows.ts';
import { createSoundRowCheck } from './audit-sound-row.ts';
import { type AgreesWithNode, createStoredNodes } from './audit-stored-nodes.ts';
import { type Cold, createColdRows, NOTHING_COLD } from './cold-rows.ts';

/** What is wrong with a row, as it shows. What was done to the log to make it so is told by audit-diagnosis.ts. */
export type Symptom =
  | 'gap'
  | 'entry_missing'
  | 'link'
  | 'hash'
  | 'leaf'
  | 'entry_mac'
  | 'seal_mac'
  /** Both MACs are wrong. */
  | 'both_macs'
  /** The seal's MAC is wrong, and so is that of the next one. */
  | 'rewritten'
  | 'column'
  | 'not_canonical'
  | 'tree_node'
  /** An archive folder has something else than what was sealed. */
  | 'archive';

export interface Fault {
  seq: number;
  symptom: Symptom;
}

const [MIN_WIDTH, MAX_WIDTH] = [2 ** 10, 2 ** 15];
const HASH_BYTES = 32;
/** A run is told of in about that many steps. */
const STEPS = 16;

/**
 * Entries of a range, a power of two: ranges begin at multiples of it, but for the first of a run. A long range costs the
 * least; a short one in a short log lets a run be followed and stopped.
 */
export function rangeWidth(entries: number): number {
  let width = MIN_WIDTH;
  while (width < MAX_WIDTH && width * STEPS < entries) width *= 2;
  return width;
}

export interface RangeTask {
  /** Sequence numbers, `to` exclusive. */
  from: number;
  to: number;
  /** Sizes of the log, from < size <= to, whose root and head are asked for. */
  sizes: readonly number[];
  /** What is in cold storage; nothing where it is left out. */
  cold?: Cold;
}

/** Plain data: it travels between threads. */
export interface RangeResult {
  from: number;
  /** Sound rows from the first on. */
  checked: number;
  /** Previous hash of the first row: whoever knows the range before holds it against that one's end. */
  firstPrev: Uint8Array | null;
  /** Hash of the last sound row; null when there is none. */
  last: Uint8Array | null;
  fault: Fault | null;
  /** Of the perfect subtrees of the sound rows. */
  subtrees: Uint8Array[];
  /** For each of the sizes that lies within the sound rows: chain hash, and subtrees from `from` on. */
  points: { size: number; head: Uint8Array; subtrees: Uint8Array[] }[];
}

/** Checks ranges of the log, each by itself, so that any number can be checked at once. */
export function createRangeCheck(auditKeys: readonly KeyObject[]) {
  const macChecks = auditKeys.map(createHmacCheck);
  const isGenuine = (message: string | Uint8Array, mac: Uint8Array | null) =>
    mac !== null && macChecks.some((isMac) => isMac(message, mac));
  const sha256 = createSha256();
  const isSound = createSoundRowCheck(auditKeys);
  const rowOf = createRowDecoder();
  const nodes = createStoredNodes();
  const isSealGenuine = (row: SealedRow) => isGenuine(sealMessage(row), row.sealMac);

  function symptomOf(row: SealedRow, before: Uint8Array): Symptom | null {
    const { entry } = row;
    if (row.cold !== undefined) return coldSymptom(row, before);
    if (entry === null) return 'entry_missing';
    return textSymptom(entry, row, before);
  }

  /** Without its text an entry has its leaf in the tree, its links, and its seal's MAC over all of that. */
  function coldSymptom(row: SealedRow, before: Uint8Array): Symptom | null {
    if (!isSealGenuine(row)) return 'seal_mac';
    const isLinked = row.prevHash.equals(before);
    if (!isLinked) return 'link';
    if (row.cold === 'damaged') return 'archive';
    return row.entry === null || textSymptom(row.entry, row, before) === null ? null : 'archive';
  }

  function textSymptom(entry: string, row: SealedRow, before: Uint8Array): Symptom | null {
    if (!row.prevHash.equals(before)) return 'link';
    if (!row.hash.equals(sha256(before, entry))) return 'hash';
    if (!row.leafHash.equals(sha256(LEAF_PREFIX, entry))) return 'leaf';
    if (!isGenuine(entry, row.entryHmac)) return isSealGenuine(row) ? 'entry_mac' : 'both_macs';
    if (!isSealGenuine(row)) return 'seal_mac';
    return columnSymptom(entry, row);
  }

  /**
   * Takes the rows of a range one after the other, in their order. After a fault it says nothing new, since every later
   * link hangs on the broken one.
   */
  function walk({ from, to, sizes }: RangeTask, agreesWithNode: AgreesWithNode = () => true) {
    const wanted = new Set(sizes);
    /** Of the leaves in front of the tile that is being filled. */
    const tree = createCompactRange({ begin: from });
    const tile = createMerkleTile(TILE_LEVELS);
    /** The hash of the last sound row, once there is one. */
    const last = Buffer.alloc(HASH_BYTES);
    let before: Buffer | undefined;
    let firstPrev: Buffer | null = null;
    let fault: Fault | null = null;
    let isOver = false;
    let checked = 0;
    const points: RangeResult['points'] = [];

    // A subtree that lies in both would begin before the tile and be longer than it.
    const subtrees = () => [...tree.hashes(), ...tile.hashes()];

    function takeLeaf(seq: number, bytes: Buffer, at: number): void {
      const isFirstTile = seq - (seq % TILE_WIDTH) < from;
      // What the run begins in the middle of has no node that it could be compared with.
      if (isFirstTile) {
        tree.push(Buffer.from(bytes.subarray(at, at + HASH_BYTES)));
        return;
      }
      tile.push(bytes, at);
      if (!tile.isFull()) return;
      const hashes = tile.hashes();
      const begin = seq + 1 - TILE_WIDTH;
      if (!agreesWithNode(begin / TILE_WIDTH, hashes[0])) {
        fault = { seq: begin, symptom: 'tree_node' };
        isOver = true;
      }
      tree.append({ begin, end: seq + 1, hashes });
      tile.empty();
    }

    /** The row behind the last one, by where its hash and its leaf hash are. */
    function take(hash: Buffer, hashAt: number, leaf: Buffer, leafAt: number): void {
      const size = from + checked + 1;
      hash.copy(last, 0, hashAt, hashAt + HASH_BYTES);
      before = last;
      takeLeaf(size - 1, leaf, leafAt);
      checked += 1;
      if (wanted.has(size)) points.push({ size, head: Buffer.from(last), subtrees: subtrees() });
    }

    return {
      /** Takes a row from its bytes where it is sound. @returns whether it did; where not, {@link push} has to have it */
      pushSound(row: RowFields): boolean {
        if (before === undefined || fault !== null || !isSound(row, from + checked, before)) return false;
        take(row.bytes, row.from[FIELD.hash] ?? 0, row.bytes, row.from[FIELD.leafHash] ?? 0);
        return true;
      },

      /** @returns whether nothing more is needed */
      push(row: SealedRow): boolean {
        if (isOver) return true;
        if (fault !== null) {
          // One more row tells whether one place was changed, or everything from there on.
          if (!isSealGenuine(row)) fault.symptom = 'rewritten';
          isOver = true;
          return true;
        }
        const seq = from + checked;
        before ??= Buffer.from(row.prevHash);
        firstPrev ??= Buffer.from(before);
        const symptom = row.seq === seq ? symptomOf(row, before) : 'gap';
        if (symptom !== null) {
          fault = { seq, symptom };
          isOver = symptom !== 'seal_mac' && symptom !== 'both_macs';
          return isOver;
        }
        take(row.hash, 0, row.leafHash, 0);
        return isOver;
      },

      end(): RangeResult {
        // Seals up to the end were counted: what is not there any more was taken away.
        if (fault === null && checked < to - from) fault = { seq: from + checked, symptom: 'gap' };
        return { from, checked, firstPrev, last: checked > 0 ? last : null, fault, subtrees: subtrees(), points };
      },
    };
  }

  /** @throws errors of the connection */
  async function check(client: ClientBase, task: RangeTask): Promise<RangeResult> {
    const walked = walk(task, await nodes.within(client, task));
    const cold = await createColdRows(client, task, task.cold ?? NOTHING_COLD);
    try {
      let isOver = false;
      for await (const rows of sealedRowsByChunk(client, task)) {
        // Rows that nobody needs are read all the same: a COPY that is left in the middle leaves a connection of no use.
        if (isOver) continue;
        for (let row = rows.next(); row !== undefined; row = rows.next()) {
          if (walked.pushSound(row)) continue;
          const completed = cold.complete(rowOf(row));
          isOver = walked.push(completed instanceof Promise ? await completed : completed);
          if (isOver) break;
        }
      }
    } finally {
      await cold.close();
    }
    return walked.end();
  }

  return { walk, check, isGenuine };
}

/** The number of rows that a result's subtrees stand for, checked against their number. */
export function rangeOf({ from, checked, subtrees }: RangeResult): {
  begin: number;
  end: number;
  hashes: Uint8Array[];
} {
  const end = from + checked;
  if (perfectSubtrees(from, end).length !== subtrees.length) throw new Error('a range has lost hashes of its tree');
  return { begin: from, end, hashes: subtrees };
}
