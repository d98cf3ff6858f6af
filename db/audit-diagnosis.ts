import { chainHash, genesisHash, leafHash } from '../security/audit-chain.ts';
import type { Fault } from './audit-check.ts';
import { oneRow, row, rows, type Tx } from './sql.ts';

/** What was done to a log. The offline verifier has the same names. */
export type Attack =
  | 'entry_changed'
  | 'column_changed'
  | 'entry_deleted'
  | 'entry_inserted'
  | 'entries_swapped'
  | 'sequence_gap'
  | 'tail_truncated'
  | 'tail_rewritten'
  | 'history_rewritten'
  | 'restored_without_tail'
  | 'foreign_log'
  | 'entry_forged'
  | 'seal_forged'
  | 'changed_before_sealing'
  | 'sealed_twice'
  | 'entry_hidden'
  | 'tree_changed'
  | 'not_canonical'
  | 'foreign_checkpoint'
  | 'checkpoint_forged'
  | 'archive_changed';

export interface Diagnosis {
  /** The first entry that is not what was written. */
  seq: number;
  reason: Attack;
}

interface Sealed {
  seq: number;
  prevHash: Buffer;
  hash: Buffer;
  leafHash: Buffer;
  /** Null where it is gone. */
  entry: string | null;
}

/**
 * Names what was done, from the first row that is wrong and those around it: the chain's links tell what stood where.
 */
export async function diagnose(tx: Tx, { seq, symptom }: Fault): Promise<Diagnosis> {
  const as = (reason: Attack, first = seq): Diagnosis => ({ seq: first, reason });
  switch (symptom) {
    case 'gap':
      return as(await missing(tx, seq));
    case 'entry_missing':
      return as('entry_deleted');
    case 'link':
      return unlinked(tx, seq);
    case 'hash':
      return textOrHash(tx, seq);
    case 'leaf':
    case 'column':
      return as('column_changed');
    case 'entry_mac':
      return as('entry_forged');
    case 'both_macs':
      return as((await isPassedBy(tx, seq)) ? 'entry_inserted' : 'entry_changed');
    case 'rewritten':
      if (await isPassedBy(tx, seq)) return as('entry_inserted');
      return as((await linksOn(tx, seq)) ? 'history_rewritten' : 'entry_changed');
    case 'seal_mac':
      return as((await hasTwin(tx, seq)) ? 'sealed_twice' : 'seal_forged');
    case 'tree_node':
      return as('tree_changed');
    case 'not_canonical':
      return as('not_canonical');
    case 'archive':
      return as('archive_changed');
  }
}

/** There is no seal of that number. */
async function missing(tx: Tx, seq: number): Promise<Attack> {
  const next = (await read(tx, 'seq > $1 order by seq', [seq]))[0];
  if (next === undefined) return 'tail_truncated';
  if (next.prevHash.equals(await hashBefore(tx, seq))) return 'sequence_gap';
  return (await seqOfHash(tx, next.prevHash, next.seq)) === undefined ? 'entry_deleted' : 'entries_swapped';
}

/** The row does not link to the one before it. */
async function unlinked(tx: Tx, seq: number): Promise<Diagnosis> {
  const [found, next] = await read(tx, 'seq in ($1::bigint, $1::bigint + 1) order by seq', [seq]);
  const before = await hashBefore(tx, seq);
  if (found === undefined || found.entry === null) return { seq, reason: 'entry_deleted' };
  if (found.hash.equals(chainHash(before, found.entry))) return { seq, reason: 'column_changed' };
  if (next?.prevHash.equals(before)) return { seq, reason: 'entry_inserted' };
  if ((await seqOfHash(tx, found.prevHash, seq)) !== undefined) return { seq, reason: 'entries_swapped' };
  if (seq === 0) return { seq, reason: 'foreign_log' };
  return { seq, reason: 'entry_deleted' };
}

/** The row's hash is not that of its text. */
async function textOrHash(tx: Tx, seq: number): Promise<Diagnosis> {
  const [found] = await read(tx, 'seq = $1', [seq]);
  if (found === undefined || found.entry === null) return { seq, reason: 'entry_deleted' };
  const leaf = leafHash(found.entry);
  if (!leaf.equals(found.leafHash)) {
    const [other] = await read(tx, 'leaf_hash = $1 and seq > $2', [leaf, seq]);
    const isSwap = other?.entry && leafHash(other.entry).equals(found.leafHash);
    return { seq, reason: isSwap ? 'entries_swapped' : 'entry_changed' };
  }
  return { seq, reason: (await linksOn(tx, seq)) ? 'entry_changed' : 'column_changed' };
}

/** Whether the chain goes on from the row as it is now. The last row is taken at its word. */
async function linksOn(tx: Tx, seq: number): Promise<boolean> {
  const [found, next] = await read(tx, 'seq in ($1::bigint, $1::bigint + 1) order by seq', [seq]);
  return found !== undefined && (next === undefined || next.prevHash.equals(found.hash));
}

/** Whether the next row links to the one before this one. */
async function isPassedBy(tx: Tx, seq: number): Promise<boolean> {
  const [next] = await read(tx, 'seq = $1::bigint + 1', [seq]);
  return next?.prevHash.equals(await hashBefore(tx, seq)) ?? false;
}

async function hasTwin(tx: Tx, seq: number): Promise<boolean> {
  const { twins } = await oneRow<{ twins: string }>(
    tx,
    `select count(*) as twins from audit_seal
      where entry_id = (select entry_id from audit_seal where seq = $1) and seq <> $1`,
    [seq],
  );
  return Number(twins) > 0;
}

async function hashBefore(tx: Tx, seq: number): Promise<Buffer> {
  if (seq === 0) {
    const { origin } = await oneRow<{ origin: string }>(tx, 'select origin from audit_log_origin');
    return genesisHash(origin);
  }
  const before = await row<{ hash: Buffer }>(tx, 'select hash from audit_seal where seq = $1', [seq - 1]);
  return before?.hash ?? Buffer.alloc(0);
}

/** A row behind `after` that has this hash. Reads the whole log, which happens only where something is wrong. */
async function seqOfHash(tx: Tx, hash: Buffer, after: number): Promise<number | undefined> {
  return (await read(tx, 'hash = $1 and seq > $2', [hash, after]))[0]?.seq;
}

/** The first two rows of a condition, the lower number first. */
async function read(tx: Tx, condition: string, params: unknown[]): Promise<Sealed[]> {
  const found = await rows<{
    seq: string;
    prev_hash: Buffer;
    hash: Buffer;
    leaf_hash: Buffer;
    entry: string | null;
  }>(
    tx,
    `select s.seq, s.prev_hash, s.hash, s.leaf_hash, e.entry
       from (select * from audit_seal where ${condition} limit 2) s
       left join audit_entry e on e.id = s.entry_id order by s.seq`,
    params,
  );
  return found.map((one) => ({
    seq: Number(one.seq),
    prevHash: one.prev_hash,
    hash: one.hash,
    leafHash: one.leaf_hash,
    entry: one.entry,
  }));
}
