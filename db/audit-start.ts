import type { KeyObject } from 'node:crypto';
import type { VerificationMode } from '../domain/audit-scope.ts';
import { isDomainError } from '../domain/errors.ts';
import type { ChainHead } from '../security/audit-chain.ts';
import { type CompactRange, createCompactRange } from '../security/merkle.ts';
import { type CheckPool, openCheckHere } from './audit-check-pool.ts';
import { agrees, type Evidence } from './audit-evidence.ts';
import { compactRangeAt, headAt } from './audit-tree.ts';
import type { Database } from './orm.ts';

/** Where a run begins: behind `size` entries, with what is known of them. */
interface Ground {
  size: number;
  /** Its hash is empty where nothing vouches for it. */
  head: ChainHead;
  /** Null where roots are not compared. */
  tree: CompactRange | null;
}

interface Start extends Ground {
  mode: VerificationMode;
  from: number;
}

/** Which part of the log is gone through; everything where all of it is left out. */
export interface Part {
  /** Goes on behind what an interrupted run of the same part has checked already. */
  after?: ChainHead;
  /** Entries from this sequence number on, and up to the other, exclusive. */
  from?: number;
  to?: number;
  /**
   * Size of a published checkpoint that earlier runs covered: goes on there. What lies below is held against the
   * checkpoint by its tree and its last hash; where that fails, everything is gone through.
   */
  base?: number;
}

interface Log {
  db: Database;
  auditKeys: readonly KeyObject[];
  /** What makes a pool know of months in cold storage. */
  around: (pool: CheckPool) => CheckPool;
}

/**
 * From where on is checked, what the tree before it is, and what kind of run it is by that.
 *
 * @param total where the run ends
 */
export async function startOf(log: Log, part: Part, total: number, evidence: readonly Evidence[]): Promise<Start> {
  const { after, from = 0, to, base = 0 } = part;
  const { db } = log;
  if (base > 0) {
    const ground = after === undefined ? await groundAt(db, base, total, evidence) : await resumedAt(db, after, total);
    if (ground !== null) return { mode: 'incremental', from: base, ...ground };
  } else if (from > 0) {
    return { mode: 'range', from, tree: null, ...(await linkAt(log, after, from, total)) };
  }
  const start = { mode: to === undefined ? ('full' as const) : ('range' as const), from: 0 };
  const resumed = after === undefined || base > 0 ? null : await resumedAt(db, after, total);
  if (resumed !== null) return { ...start, ...resumed };
  return { ...start, size: 0, head: { seq: -1, hash: await headAt(db.fork(), 0) }, tree: createCompactRange() };
}

/** Behind what an interrupted run has checked; null where the stored tree does not reach that far. */
async function resumedAt(db: Database, head: ChainHead, total: number): Promise<Ground | null> {
  const size = Math.min(head.seq + 1, total);
  const hashes = await unlessRefused(compactRangeAt(db.fork(), size));
  return hashes && { size, head, tree: createCompactRange({ end: size, hashes }) };
}

/** At a published checkpoint, where the tree below has its root and the chain its hash; null where not. */
async function groundAt(
  db: Database,
  size: number,
  total: number,
  evidence: readonly Evidence[],
): Promise<Ground | null> {
  const said = evidence.filter((one) => one.size === size);
  if (size > total || !said.some(({ root }) => root !== null)) return null;
  const hashes = await unlessRefused(compactRangeAt(db.fork(), size));
  const hash = await unlessRefused(headAt(db.fork(), size));
  if (hashes === null || hash === null) return null;
  const tree = createCompactRange({ end: size, hashes });
  const point = { size, head: hash, subtrees: [] };
  return said.every((one) => agrees(one, point, tree)) ? { size, head: { seq: size - 1, hash }, tree } : null;
}

/** Before a range: the hash that its first entry links to, where the entry before is sound itself; else none. */
async function linkAt(
  { db, auditKeys, around }: Log,
  after: ChainHead | undefined,
  from: number,
  total: number,
): Promise<Pick<Ground, 'size' | 'head'>> {
  if (after !== undefined) return { size: Math.min(after.seq + 1, total), head: after };
  if (from > total) return { size: total, head: { seq: total - 1, hash: Buffer.alloc(0) } };
  const pool = around(await openCheckHere(db.databaseUrl, auditKeys));
  try {
    const { last } = await pool.check({ from: from - 1, to: from, sizes: [] });
    return { size: from, head: { seq: from - 1, hash: Buffer.from(last ?? []) } };
  } finally {
    await pool.close();
  }
}

/** Null where the log refuses to answer: its tree is still being made, or it does not reach that far any more. */
async function unlessRefused<T>(answer: Promise<T>): Promise<T | null> {
  return answer.catch((error: unknown) => {
    if (isDomainError(error)) return null;
    throw error;
  });
}
