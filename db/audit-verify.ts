import type { KeyObject } from 'node:crypto';
import type { VerificationMode } from '../domain/audit-scope.ts';
import type { ChainHead } from '../security/audit-chain.ts';
import type { ArchiveFolder } from './archive-lines.ts';
import { createRangeCheck, type Fault, type RangeResult, rangeOf, rangeWidth } from './audit-check.ts';
import { type CheckPool, openCheckHere, openCheckThreads } from './audit-check-pool.ts';
import { type Attack, type Diagnosis, diagnose } from './audit-diagnosis.ts';
import { agrees, type Evidence, evidenceOf, type PublishedEvidence } from './audit-evidence.ts';
import { type Part, startOf } from './audit-start.ts';
import { firstWrongNode, headAt, sealedSize } from './audit-tree.ts';
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
  /** What the run went through: the entries `from` to `to` - 1. A run that was to go on and could not is `full`. */
  mode: VerificationMode;
  from: number;
  to: number;
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

export interface VerifyOptions extends Part {
  published?: PublishedEvidence;
  /** Texts of months in cold storage, to be recomputed as well. Without them their seals and their leaves are checked. */
  archives?: readonly ArchiveFolder[];
  /** Threads for a long log; one where it is left out. */
  threads?: number;
  /** Called after every range of one to thirty thousand entries. The run began at `from`; `total` is where it will end. */
  onProgress?: (progress: VerificationProgress) => void | Promise<void>;
  /** Ends the run between two ranges with the signal's reason. */
  signal?: AbortSignal;
}

export interface VerificationProgress {
  head: ChainHead;
  mode: VerificationMode;
  from: number;
  total: number;
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
    const evidence = await evidenceOf(db, published);
    const sealed = await sealedSize(db.fork());
    const total = Math.min(sealed, options.to ?? sealed);
    const cold = await watchColdStorage(db, isGenuine, options.archives ?? []);
    const begin = await startOf({ db, auditKeys, around: cold.around }, options, total, evidence);
    const { mode, from } = begin;
    const within = evidence.filter(({ size }) => size > begin.size && size <= total);
    let { head } = begin;
    // Up to here the log was held against what was published.
    let confirmed = head;
    const checked = () => Math.max(0, head.seq + 1 - from);
    const held = () =>
      evidence.filter(
        ({ size, root }) =>
          root !== null && size <= confirmed.seq + 1 && (mode === 'incremental' ? size >= from : size > from),
      ).length;
    const extent = { mode, from, to: Math.max(from, total, options.to ?? 0) };
    const invalid = async ({ seq, reason }: { seq: number | null; reason: Attack }): Promise<Verification> => ({
      ...{ valid: false, ...extent, checked: checked(), unsealed: (await countUnsealed(db, isGenuine)).count },
      ...{ firstInvalidSeq: seq, reason, head, checkpoints: held() },
      archived: await cold.count({ from, to: head.seq + 1 }),
    });

    if (options.after !== undefined && options.after.seq >= sealed) {
      // What the interrupted run had read is not there any more.
      head = { seq: sealed - 1, hash: await headAt(db.fork(), sealed) };
      return invalid({ seq: sealed, reason: 'tail_truncated' });
    }
    // At the same time, since it needs the database and the walk mostly needs this machine's processors.
    const rest = mode === 'range' ? null : verifyRest(from);
    rest?.catch(() => {});
    const pool = cold.around(await poolFor(total - begin.size, threads));
    try {
      for await (const result of inOrder(pool, { begin: begin.size, total, sizes: within.map(({ size }) => size) })) {
        // The link from what lies before a range is not looked at where that is not sound itself.
        if (head.hash.length === 0 && result.firstPrev !== null) {
          head = { seq: head.seq, hash: Buffer.from(result.firstPrev) };
          confirmed = head;
        }
        const fault = faultAt(result, head);
        const isLinked = fault === null || fault.seq > result.from;
        for (const point of isLinked ? result.points : []) {
          const wrong = within.find((one) => one.size === point.size && !agrees(one, point, begin.tree));
          if (wrong !== undefined) {
            head = confirmed;
            return invalid(await rewritten(wrong, sealed, confirmed.seq + 1));
          }
          confirmed = { seq: point.size - 1, hash: Buffer.from(point.head) };
        }
        if (isLinked && result.last !== null) {
          begin.tree?.append(rangeOf(result));
          head = { seq: result.from + result.checked - 1, hash: Buffer.from(result.last) };
        }
        if (fault !== null) return invalid(await diagnose(db.fork(), fault));
        await onProgress?.({ head, mode, from, total });
        signal?.throwIfAborted();
      }
    } finally {
      await pool.close();
      await rest?.catch(() => {});
    }
    if (options.to === undefined) {
      const longer = evidence.find(({ size }) => size > sealed);
      if (longer !== undefined) return invalid({ seq: sealed, reason: await longer.nameOf(sealed) });
    }
    // Whoever asked had seen that the log is that long.
    if (sealed < (options.to ?? from)) return invalid({ seq: sealed, reason: 'tail_truncated' });
    const around = await rest;
    if (around?.fault) return invalid(around.fault);
    if (published?.fault) return invalid({ seq: null, reason: published.fault });
    const damaged = options.archives?.find(({ damagedFrom }) => damagedFrom !== null);
    if (damaged !== undefined) return invalid({ seq: damaged.damagedFrom, reason: 'archive_changed' });
    const { count: unsealed } = around?.unsealed ?? (await countUnsealed(db, isGenuine));
    return {
      ...{ valid: true, ...extent, checked: checked(), unsealed, firstInvalidSeq: null, reason: null },
      ...{ head, checkpoints: held(), archived: await cold.count({ from, to: head.seq + 1 }) },
    };
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

  /** What the walk along the seals cannot see: entries with two seals or none, and the upper levels of the tree. */
  async function verifyRest(from: number): Promise<Rest> {
    const unsealed = await countUnsealed(db, isGenuine);
    const wrong = (seq: number | null, reason: Attack) => ({ fault: { seq, reason }, unsealed });
    // Two seals below a checkpoint would be in its tree twice.
    const twice = await row<{ seq: string }>(db.fork(), from === 0 ? SEALED_TWICE : SEALED_AGAIN, from ? [from] : []);
    if (twice !== undefined) return wrong(Number(twice.seq), 'sealed_twice');
    if (unsealed.count > unsealed.pending && unsealed.pending < PENDING_LIMIT) return wrong(null, 'entry_hidden');
    const pending = await rows<{ entry: string; entry_hmac: Buffer }>(
      db.fork(),
      `select entry, entry_hmac from audit_pending('0', 0, ${PENDING_CHECKED})`,
    );
    if (!pending.every(({ entry, entry_hmac: mac }) => isGenuine(entry, mac))) {
      return wrong(null, 'changed_before_sealing');
    }
    const node = await firstWrongNode(db.fork());
    return node === null ? { fault: null, unsealed } : wrong(node, 'tree_changed');
  }

  return { verify };
}

export type AuditVerifier = ReturnType<typeof createAuditVerifier>;

/** The first thing that is wrong in a range, its link to the range before included. */
function faultAt(result: RangeResult, head: ChainHead): Fault | null {
  const isLinked = result.firstPrev === null || head.hash.equals(result.firstPrev);
  const isFirst = result.fault !== null && result.fault.seq === result.from && result.fault.symptom !== 'tree_node';
  return isLinked || isFirst ? result.fault : { seq: result.from, symptom: 'link' };
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

interface Unsealed {
  /** Entries without a seal. */
  count: number;
  /** Of those, the ones that the sealer will come to. */
  pending: number;
}

interface Rest {
  fault: { seq: number | null; reason: Attack } | null;
  unsealed: Unsealed;
}

/** All counts come from one snapshot, so appends, seals and months that are taken out meanwhile cannot make them disagree. */
async function countUnsealed(db: Database, isGenuine: IsGenuine): Promise<Unsealed> {
  const found = await oneRow<{ entries: string; seals: string; pending: string; records: ColdRecord[] }>(
    db.fork(),
    `select (select count(*) from audit_entry) as entries, (select count(*) from audit_seal) as seals,
            (select count(*) from audit_pending('0', 0, ${PENDING_LIMIT})) as pending, ${COLD_RECORDS} as records`,
  );
  const cold = newestOf(found.records, isGenuine).months.reduce((sum, { entries }) => sum + entries, 0);
  return { count: Math.max(0, Number(found.entries) + cold - Number(found.seals)), pending: Number(found.pending) };
}

/** Whether there is one at all is asked of the ids alone, in the order of their index: half of the work, and nothing to sort. */
const SEALED_TWICE = `
  select min(seq) as seq from (
    select max(seq) as seq from audit_seal
     where exists (select from audit_seal group by entry_id having count(*) > 1)
     group by entry_id having count(*) > 1) as twice having count(*) > 0`;

const SEALED_AGAIN = `
  select min(s.seq) as seq from audit_seal s
   where s.seq >= $1 and exists (select from audit_seal t where t.entry_id = s.entry_id and t.seq < s.seq)
  having count(*) > 0`;
