import type { ClientBase } from 'pg';
import { DomainError } from '../domain/errors.ts';
import { genesisHash } from '../security/audit-chain.ts';
import {
  consistencyRanges,
  foldSubtrees,
  inclusionRanges,
  type LeafRange,
  nodeHash,
  perfectSubtrees,
  type Subtree,
} from '../security/merkle.ts';
import { TILE_LEVELS, TILE_WIDTH } from '../security/merkle-tile.ts';
import { namedStatement } from './prepared-statements.ts';
import { row, rows, type Tx } from './sql.ts';

/** Tiles that one call makes at most: some 16,000 leaves, about a tenth of a second. */
const MAX_TILES = 64;

/** Whether a log that grows from one size to the other completes a tile, so that {@link extendTree} has work. */
export const completesTile = (from: number, to: number): boolean =>
  Math.floor(to / TILE_WIDTH) > Math.floor(from / TILE_WIDTH);

/**
 * Stores the inner nodes of the tree that its leaves up to `size` complete and that are not there yet, to be called in
 * the transaction that sealed them, under the sealer's lock. What is there already is not looked at, so a repeat costs
 * nothing; a log from before the tree is caught up with in steps. Where a seal was taken out the tree ends before it:
 * nodes of other leaves would be wrong for good, and sealing must not stop.
 *
 * @param size number of sealed entries, which this transaction sees
 * @returns whether another call would find more to do
 */
export async function extendTree(client: ClientBase, size: number): Promise<boolean> {
  let more = false;
  for (let level = TILE_LEVELS; ; level += TILE_LEVELS) {
    const complete = Math.floor(size / 2 ** level);
    if (complete === 0) return more;
    const { rows: found } = await client.query<{ next: string }>(NEXT_INDEX(level));
    const next = Number(found[0]?.next ?? 0);
    const end = Math.min(complete, next + MAX_TILES);
    // Levels above are made of these, and what is missing here is missing there.
    const stored = next < complete ? await storeNodes(client, level, next, end) : 0;
    if (stored === end - next && end < complete) more = true;
  }
}

/** @returns how many were stored */
async function storeNodes(client: ClientBase, level: number, next: number, end: number): Promise<number> {
  const below = { level: level - TILE_LEVELS, from: next * TILE_WIDTH, to: end * TILE_WIDTH };
  const { rows: found } = await client.query<StoredNode>(
    below.level === 0 ? READ_LEAVES(below.from, below.to) : READ_NODES(below.from, below.to, below.level),
  );
  const children = unbroken(found, below.from);
  const indexes: number[] = [];
  const hashes: Buffer[] = [];
  for (let at = 0; at + TILE_WIDTH <= children.length; at += TILE_WIDTH) {
    indexes.push(next + at / TILE_WIDTH);
    hashes.push(perfectRoot(children.slice(at, at + TILE_WIDTH)));
  }
  if (indexes.length === 0) return 0;
  await client.query(INSERT_NODES(level, indexes, hashes));
  return indexes.length;
}

interface StoredNode {
  index: string;
  hash: Buffer;
}

const LEAVES = 'select seq as index, leaf_hash as hash from audit_seal where seq >= $1 and seq < $2 order by seq';
const NODES = 'select index, hash from audit_tree_node where index >= $1 and index < $2 and level = $3 order by index';

/** Prepared: the sealer asks them for every tile, and they are planned for longer than they run. */
const NEXT_INDEX = namedStatement('select coalesce(max(index) + 1, 0) as next from audit_tree_node where level = $1');
const READ_LEAVES = namedStatement(LEAVES);
const READ_NODES = namedStatement(NODES);
const INSERT_NODES = namedStatement(`
  insert into audit_tree_node (level, index, hash)
  select $1, n.index, n.hash from unnest($2::bigint[], $3::bytea[]) as n (index, hash)`);

/** The hashes from `from` on, up to the first that is not there. */
function unbroken(nodes: readonly StoredNode[], from: number): Buffer[] {
  const gap = nodes.findIndex(({ index }, at) => Number(index) !== from + at);
  return (gap === -1 ? nodes : nodes.slice(0, gap)).map(({ hash }) => hash);
}

/** The leaves, and the perfect subtrees above them, level by level: of an odd end there is none. */
function levelsOf(leaves: readonly Buffer[]): (readonly Buffer[])[] {
  const levels = [leaves];
  for (let level = leaves; level.length > 1; levels.push(level)) {
    const above: Buffer[] = [];
    for (let at = 0; at + 1 < level.length; at += 2) above.push(nodeHash(level[at] as Buffer, level[at + 1] as Buffer));
    level = above;
  }
  return levels;
}

/** The root of a perfect subtree of its leaves, a power of two. */
const perfectRoot = (leaves: readonly Buffer[]): Buffer => levelsOf(leaves).at(-1)?.[0] as Buffer;

/**
 * The first leaf below a stored node that is not what the nodes below it say; null where all are. Nodes of the lowest
 * level are compared with their leaves by whoever reads those.
 */
export async function firstWrongNode(tx: Tx): Promise<number | null> {
  for (let level = 2 * TILE_LEVELS; ; level += TILE_LEVELS) {
    const nodes = await rows<StoredNode>(tx, NODES, [0, Number.MAX_SAFE_INTEGER, level]);
    if (nodes.length === 0) return null;
    for (const [at, { index, hash }] of nodes.entries()) {
      const children = unbroken(
        await rows<StoredNode>(tx, NODES, [at * TILE_WIDTH, (at + 1) * TILE_WIDTH, level - TILE_LEVELS]),
        at * TILE_WIDTH,
      );
      const isRight = Number(index) === at && children.length === TILE_WIDTH && perfectRoot(children).equals(hash);
      if (!isRight) return at * 2 ** level;
    }
  }
}

/** Tiles that a reader keeps: many proofs of one tree share those of the upper levels. */
const KEPT_TILES = 64;

/** Hashes of a log's tree; a tile is read and hashed once for what is asked in order. */
function createTreeReader(tx: Tx, size: number) {
  const tiles = new Map<string, Promise<(readonly Buffer[])[]>>();

  function tile(level: number, index: number): Promise<(readonly Buffer[])[]> {
    const key = `${level}/${index}`;
    const known = tiles.get(key);
    tiles.delete(key);
    if (known) {
      tiles.set(key, known);
      return known;
    }
    const [from, to] = [index * TILE_WIDTH, Math.min((index + 1) * TILE_WIDTH, Math.floor(size / 2 ** level))];
    const found = readTile(level, from, to).then(levelsOf);
    tiles.set(key, found);
    const [oldest] = tiles.keys();
    if (tiles.size > KEPT_TILES && oldest !== undefined) tiles.delete(oldest);
    return found;
  }

  async function readTile(level: number, from: number, to: number): Promise<Buffer[]> {
    const stored = await (level === 0
      ? rows<StoredNode>(tx, LEAVES, [from, to])
      : rows<StoredNode>(tx, NODES, [from, to, level]));
    const children = unbroken(stored, from);
    if (children.length === to - from) return children;
    const missing = from + children.length;
    if (level > 0) {
      const last = await row<{ max: string | null }>(
        tx,
        'select max(index) as max from audit_tree_node where level = $1',
        [level],
      );
      // The sealer of an old log is still at it: a proof is not worth reading millions of leaves.
      if (Number(last?.max ?? -1) < missing) throw new DomainError('tree_behind', TREE_BEHIND);
    }
    const place = level === 0 ? `the seal of entry ${missing}` : `node ${missing} at level ${level} of its tree`;
    throw damaged(place);
  }

  async function subtree({ level, index }: Subtree): Promise<Buffer> {
    const stored = level - (level % TILE_LEVELS);
    const inTile = TILE_WIDTH / 2 ** (level - stored);
    const levels = await tile(stored, Math.floor(index / inTile));
    return levels[level - stored]?.[index % inTile] as Buffer;
  }

  async function hashesOf({ begin, end }: LeafRange): Promise<Buffer[]> {
    const found: Buffer[] = [];
    for (const part of perfectSubtrees(begin, end)) found.push(await subtree(part));
    return found;
  }

  return { hashesOf, hashOf: async (range: LeafRange): Promise<Buffer> => foldSubtrees(await hashesOf(range)) };
}

const damaged = (place: string): DomainError =>
  new DomainError('log_damaged', `The audit log is damaged: ${place} is missing. Verify it.`);

const TREE_BEHIND = 'The tree of the audit log is still being made. Try again in a minute.';

/** Number of sealed entries. */
export async function sealedSize(tx: Tx): Promise<number> {
  const last = await row<{ seq: string }>(tx, 'select seq from audit_seal order by seq desc limit 1');
  return Number(last?.seq ?? -1) + 1;
}

/** The Merkle root of the first `size` entries. @throws DomainError `tree_behind`, `log_damaged` or `not_found` */
export async function rootAt(tx: Tx, size: number): Promise<Buffer> {
  await assertSealed(tx, size);
  return createTreeReader(tx, size).hashOf({ begin: 0, end: size });
}

/** The hashes of the perfect subtrees of the first `size` entries. @throws DomainError `tree_behind`, `log_damaged` or `not_found` */
export async function compactRangeAt(tx: Tx, size: number): Promise<Buffer[]> {
  await assertSealed(tx, size);
  return createTreeReader(tx, size).hashesOf({ begin: 0, end: size });
}

/** The chain hash of the last of the first `size` entries; the genesis for none. @throws DomainError `not_found` or `log_damaged` */
export async function headAt(tx: Tx, size: number): Promise<Buffer> {
  const found =
    size === 0
      ? await row<{ origin: string }>(tx, 'select origin from audit_log_origin')
      : await row<{ hash: Buffer }>(tx, 'select hash from audit_seal where seq = $1', [size - 1]);
  if (found === undefined) {
    await assertSealed(tx, size);
    throw damaged(`the seal of entry ${size - 1}`);
  }
  return 'hash' in found ? found.hash : genesisHash(found.origin);
}

/**
 * Shows that an entry is in the tree of the first `size` entries (RFC 9162 section 2.1.3).
 *
 * @throws DomainError `tree_behind`, `log_damaged`, or `not_found` when there is no such entry below that size
 */
export async function inclusionProof(tx: Tx, { index, size }: { index: number; size: number }): Promise<Buffer[]> {
  if (index >= size) throw new DomainError('not_found', `Entry ${index} is not among the first ${size}.`);
  await assertSealed(tx, size);
  return hashesOfRanges(createTreeReader(tx, size), inclusionRanges(index, size));
}

/**
 * Proves entries of one tree one after the other, as {@link inclusionProof} does; in ascending order it reads least.
 *
 * @throws DomainError `tree_behind`, `log_damaged`, or `not_found` when the log is shorter
 */
export async function createInclusionProver(tx: Tx, size: number): Promise<(index: number) => Promise<Buffer[]>> {
  await assertSealed(tx, size);
  const reader = createTreeReader(tx, size);
  return (index) => hashesOfRanges(reader, inclusionRanges(index, size));
}

/**
 * Shows that the tree of the first `to` entries continues that of the first `from` (RFC 9162 section 2.1.4).
 *
 * @throws DomainError `tree_behind`, `log_damaged`, or `not_found` when the sizes are not 1 <= from <= to <= sealed entries
 */
export async function consistencyProof(tx: Tx, { from, to }: { from: number; to: number }): Promise<Buffer[]> {
  if (from < 1 || from > to) throw new DomainError('not_found', `There is no proof from ${from} to ${to} entries.`);
  await assertSealed(tx, to);
  return hashesOfRanges(createTreeReader(tx, to), consistencyRanges(from, to));
}

async function hashesOfRanges(reader: ReturnType<typeof createTreeReader>, ranges: LeafRange[]): Promise<Buffer[]> {
  const proof: Buffer[] = [];
  for (const range of ranges) proof.push(await reader.hashOf(range));
  return proof;
}

async function assertSealed(tx: Tx, size: number): Promise<void> {
  if (size > (await sealedSize(tx))) {
    throw new DomainError('not_found', `The audit log has no ${size} sealed entries.`);
  }
}
