import type { KeyObject } from 'node:crypto';
import { isDomainError } from '../domain/errors.ts';
import type { ChainHead } from '../security/audit-chain.ts';
import type { Checkpoint } from '../security/checkpoint.ts';
import { type CompactRange, createCompactRange } from '../security/merkle.ts';
import type { ArchiveFolder } from './archive-lines.ts';
import { createRangeCheck, type Fault, type RangeResult, rangeOf, rangeWidth } from './audit-check.ts';
import { type CheckPool, openCheckHere, openCheckThreads } from './audit-check-pool.ts';
import { type Attack, type Diagnosis, diagnose } from './audit-diagnosis.ts';
import { compactRangeAt, firstWrongNode, headAt, sealedSize } from './audit-tree.ts';
import { watchColdStorage } from './cold-check.ts';
import { COLD_RECORDS, type ColdRecord, type IsGenuine, newestOf } from './cold-storage.ts';
import type { Database } from './orm.ts';
import { oneRow, row, rows } from './sql.ts';

/** Shorter runs are checked in the caller's thread. */
const WORTH_THREADS = 50_000;
/** Unsealed entries that are looked at; more means that sealing stands still, which `unsealed` tells. */
const PENDING_LIMIT = 100_000;
const PENDING_CHECKED = 2_000;

export interface Verification {
  valid: boolean;
  /** Sealed entries that were found sound, from the first of the run on. */
  checked: number;
  /** Entries that wait for their seal. */
  unsealed: number;
  /** Null when the log is sound, or when what is wrong has no place in the chain. */
  firstInvalidSeq: number | null;
  reason: Attack | null;
  /** The end of the sound part. */
  head: ChainHead;
  /** Published checkpoints that the log was held against. */
  checkpoints: number;
  /** Of those that were checked, entries in cold storage. */
  archived: number;
}

/** What was published outside the database, opened and in the order of sizes. */
export interface PublishedEvidence {
  /** Those that bind the log as it is now. */
  checkpoints: readonly Checkpoint[];
  /** One of them that is not what it should be. */
  fault: 'foreign_checkpoint' | 'checkpoint_forged' | null;
  /** Tells what a log that is shorter than a checkpoint, or other than it says, has been through. */
  nameOf(checkpoint: Checkpoint, size: number): Promise<Attack>;
}

export interface VerifyOptions {
  /** Goes on behind what an interrupted run has checked already. */
  after?: ChainHead;
  /** Entries from this sequence number on, and up to the other, exclusive. Everything where they are left out. */
  from?: number;
  to?: number;
  published?: PublishedEvidence;
  /** Texts of months in cold storage, to be recomputed as well. Without them their seals and their leaves are checked. */
  archives?: readonly ArchiveFolder[];
  /** Threads for a long log; one where it is left out. */
  threads?: number;
  /** Called after every range of one to thirty thousand entries. `total` is where the run will end. */
  onProgress?: (progress: { head: ChainHead; total: number }) => void | Promise<void>;
  /** Ends the run between two ranges with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Recomputes the log: entry texts, their columns and MACs, every link, leaf and seal, the Merkle tree, that each entry is
 * sealed exactly once, and that all of it is what was published. Reads without a long transaction, beside writers and
 * sealer, and stops at the first fault, which it names. Memory does not grow with the log.
 */
export function createAuditVerifier({ db, auditKeys }: { db: Database; auditKeys: readonly KeyObject[] }) {
  const { isGenuine } = createRangeCheck(auditKeys);

  async function verify(options: VerifyOptions = {}): Promise<Verification> {
    const { onProgress, signal, published, threads = 1 } = options;
    // Evidence first: the log is at least as long as what was known of it before.
    const evidence = await evidenceOf(published);
    const sealed = await sealedSize(db.fork());
    const total = Math.min(sealed, options.to ?? sealed);
    const isWhole = options.to === undefined;
    const begin = await startOf(options, total);
    const within = evidence.filter(({ size }) => size > begin.size && size <= total);
    // What an interrupted run had checked counts as checked.
    const first = options.after === undefined ? begin.size : 0;
    let { head } = begin;
    let confirmed = begin.size;
    const cold = await watchColdStorage(db, isGenuine, options.archives ?? []);
    const invalid = async ({ seq, reason }: { seq: number | null; reason: Attack }): Promise<Verification> => ({
      ...{ valid: false, checked: head.seq + 1 - first, unsealed: (await countUnsealed(db, isGenuine)).count },
      ...{ firstInvalidSeq: seq, reason, head, checkpoints: within.filter(({ size }) => size <= confirmed).length },
      archived: await cold.count({ from: first, to: head.seq + 1 }),
    });

    if (options.after !== undefined && options.after.seq >= sealed) {
      // What the interrupted run had read is not there any more.
      head = { seq: sealed - 1, hash: await headAt(db.fork(), sealed) };
      return invalid({ seq: sealed, reason: 'tail_truncated' });
    }
    const pool = cold.around(await poolFor(total - begin.size, threads));
    try {
      for await (const result of inOrder(pool, { begin: begin.size, total, sizes: within.map(({ size }) => size) })) {
        const fault = faultAt(result, head);
        const isLinked = fault === null || fault.seq > result.from;
        for (const point of isLinked ? result.points : []) {
          const wrong = within.find((one) => one.size === point.size && !agrees(one, point, begin.tree));
          if (wrong !== undefined) {
            head = { seq: confirmed - 1, hash: await headAt(db.fork(), confirmed) };
            return invalid(await rewritten(wrong, sealed, confirmed));
          }
          confirmed = point.size;
        }
        if (isLinked && result.last !== null) {
          begin.tree.append(rangeOf(result));
          head = { seq: result.from + result.checked - 1, hash: Buffer.from(result.last) };
        }
        if (fault !== null) return invalid(await diagnose(db.fork(), fault));
        await onProgress?.({ head, total });
        signal?.throwIfAborted();
      }
    } finally {
      await pool.close();
    }
    if (isWhole) {
      const longer = evidence.find(({ size }) => size > sealed);
      if (longer !== undefined) return invalid({ seq: sealed, reason: await longer.nameOf(sealed) });
      const rest = await verifyRest();
      if (rest !== null) return invalid(rest);
    }
    if (published?.fault) return invalid({ seq: null, reason: published.fault });
    const damaged = options.archives?.find(({ damagedFrom }) => damagedFrom !== null);
    if (damaged !== undefined) return invalid({ seq: damaged.damagedFrom, reason: 'archive_changed' });
    const { count: unsealed } = await countUnsealed(db, isGenuine);
    return {
      ...{ valid: true, checked: head.seq + 1 - first, unsealed, firstInvalidSeq: null, reason: null },
      ...{ head, checkpoints: within.length, archived: await cold.count({ from: first, to: head.seq + 1 }) },
    };
  }

  /** From where on is checked, and what the tree before it is. */
  async function startOf({ after, from }: VerifyOptions, total: number) {
    const size = Math.min(after === undefined ? (from ?? 0) : after.seq + 1, total);
    try {
      const head = after ?? { seq: size - 1, hash: await headAt(db.fork(), size) };
      const hashes = await compactRangeAt(db.fork(), size);
      return { size, head, tree: createCompactRange({ end: size, hashes }) };
    } catch (error) {
      // The tree of an old log is still being made, or the log does not reach that far any more.
      if (!isDomainError(error) || size === 0) throw error;
      return { size: 0, head: { seq: -1, hash: await headAt(db.fork(), 0) }, tree: createCompactRange() };
    }
  }

  function poolFor(entries: number, threads: number): Promise<CheckPool> | CheckPool {
    return entries < WORTH_THREADS
      ? openCheckHere(db.databaseUrl, auditKeys)
      : openCheckThreads(db.databaseUrl, auditKeys, threads);
  }

  /** Links and hashes are sound, and yet it is not what was published. */
  async function rewritten(wrong: Evidence, sealed: number, confirmed: number): Promise<Diagnosis> {
    const late = await row<{ seq: string }>(
      db.fork(),
      'select seq from audit_seal where seq >= $1 and seq < $2 and sealed_at > $3::timestamptz order by seq limit 1',
      [confirmed, wrong.size, wrong.time],
    );
    const reason = await wrong.nameOf(sealed);
    if (late === undefined)
      return { seq: confirmed, reason: reason === 'tail_truncated' ? 'history_rewritten' : reason };
    // It covered the entry's number before the entry was sealed: another one stood there.
    return { seq: Number(late.seq), reason: reason === 'restored_without_tail' ? reason : 'tail_rewritten' };
  }

  /** Everything that binds, the shortest first: what was published, and what an earlier verification found. */
  async function evidenceOf(published: PublishedEvidence | undefined): Promise<Evidence[]> {
    const memory = await lastSoundHead(db);
    const found: Evidence[] = memory === null ? [] : [memory];
    if (published !== undefined) {
      for (const checkpoint of published.checkpoints) {
        const { size, head, root, time } = checkpoint;
        found.push({ size, head, root, time, nameOf: (sealed) => published.nameOf(checkpoint, sealed) });
      }
    }
    return found.sort((a, b) => a.size - b.size);
  }

  /** What the walk along the seals cannot see: entries with two seals or none, and the upper levels of the tree. */
  async function verifyRest(): Promise<{ seq: number | null; reason: Attack } | null> {
    const twice = await row<{ seq: string }>(db.fork(), SEALED_TWICE);
    if (twice !== undefined) return { seq: Number(twice.seq), reason: 'sealed_twice' };
    const unsealed = await countUnsealed(db, isGenuine);
    if (unsealed.count > unsealed.pending && unsealed.pending < PENDING_LIMIT) {
      return { seq: null, reason: 'entry_hidden' };
    }
    const pending = await rows<{ entry: string; entry_hmac: Buffer }>(
      db.fork(),
      `select entry, entry_hmac from audit_pending('0', 0, ${PENDING_CHECKED})`,
    );
    if (!pending.every(({ entry, entry_hmac: mac }) => isGenuine(entry, mac))) {
      return { seq: null, reason: 'changed_before_sealing' };
    }
    const wrong = await firstWrongNode(db.fork());
    return wrong === null ? null : { seq: wrong, reason: 'tree_changed' };
  }

  return { verify };
}

export type AuditVerifier = ReturnType<typeof createAuditVerifier>;

/** What the log was at one size, by somebody's word: a published checkpoint, or an earlier verification. */
interface Evidence {
  size: number;
  head: Buffer;
  /** An earlier verification noted none. */
  root: Buffer | null;
  /** PostgreSQL reads it. */
  time: string;
  /** What a log of that many sealed entries that does not agree with it has been through. */
  nameOf(sealed: number): Promise<Attack>;
}

/** The first thing that is wrong in a range, its link to the range before included. */
function faultAt(result: RangeResult, head: ChainHead): Fault | null {
  const isLinked = result.firstPrev === null || head.hash.equals(result.firstPrev);
  const isFirst = result.fault !== null && result.fault.seq === result.from && result.fault.symptom !== 'tree_node';
  return isLinked || isFirst ? result.fault : { seq: result.from, symptom: 'link' };
}

/** @param tree of everything before the range that the point lies in */
function agrees(evidence: Evidence, point: RangeResult['points'][number], tree: CompactRange): boolean {
  if (!evidence.head.equals(point.head)) return false;
  if (evidence.root === null) return true;
  const grown = createCompactRange({ end: tree.end(), hashes: tree.hashes() });
  grown.append({ begin: tree.end(), end: point.size, hashes: point.subtrees });
  return grown.root().equals(evidence.root);
}

/** Results in the order of their ranges, with the next ones under way. */
async function* inOrder(
  pool: CheckPool,
  { begin, total, sizes }: { begin: number; total: number; sizes: readonly number[] },
): AsyncGenerator<RangeResult> {
  const underWay: Promise<RangeResult>[] = [];
  const wanted = [...new Set(sizes)];
  const width = rangeWidth(total - begin);
  let next = begin;
  for (;;) {
    while (next < total && underWay.length < pool.width) {
      const from = next;
      next = Math.min(total, (Math.floor(from / width) + 1) * width);
      const to = next;
      const result = pool.check({ from, to, sizes: wanted.filter((size) => size > from && size <= to) });
      result.catch(() => {});
      underWay.push(result);
    }
    const result = underWay.shift();
    if (result === undefined) return;
    yield await result;
  }
}

/** The longest chain that was ever found sound: a shorter or another one since then is a fault. */
async function lastSoundHead(db: Database): Promise<Evidence | null> {
  const found = await row<{ checked: string; head_hash: Buffer; at: string }>(
    db.fork(),
    `select checked, head_hash, coalesce(started_at, requested_at) as at from audit_verification where status = 'valid' and checked > 0
      order by checked desc limit 1`,
  );
  if (found === undefined) return null;
  const size = Number(found.checked);
  const nameOf = async (sealed: number): Promise<Attack> => (sealed < size ? 'tail_truncated' : 'history_rewritten');
  return { size, head: found.head_hash, root: null, time: found.at, nameOf };
}

/** All counts come from one snapshot, so appends, seals and months that are taken out meanwhile cannot make them disagree. */
async function countUnsealed(db: Database, isGenuine: IsGenuine): Promise<{ count: number; pending: number }> {
  const found = await oneRow<{ entries: string; seals: string; pending: string; records: ColdRecord[] }>(
    db.fork(),
    `select (select count(*) from audit_entry) as entries, (select count(*) from audit_seal) as seals,
            (select count(*) from audit_pending('0', 0, ${PENDING_LIMIT})) as pending, ${COLD_RECORDS} as records`,
  );
  const cold = newestOf(found.records, isGenuine).months.reduce((sum, { entries }) => sum + entries, 0);
  return { count: Math.max(0, Number(found.entries) + cold - Number(found.seals)), pending: Number(found.pending) };
}

const SEALED_TWICE = `
  select min(seq) as seq from (
    select max(seq) as seq from audit_seal group by entry_id having count(*) > 1) as twice having count(*) > 0`;
