import type { ClientBase } from 'pg';
import { type ColdMonth, coldMonthOf } from '../domain/cold-month.ts';
import { leafHash } from '../security/audit-chain.ts';
import { type ArchiveFolder, createArchiveReader, type ExportLine } from './archive-lines.ts';
import type { SealedRow } from './audit-rows.ts';

/** What a reader of sealed rows has to know of cold storage. Plain data: it travels between threads. */
export interface Cold {
  months: readonly ColdMonth[];
  /** Archive folders whose texts are to take the place of what is not in the database. */
  folders: readonly ArchiveFolder[];
}

export const NOTHING_COLD: Cold = { months: [], folders: [] };

/** What the MAC of a seal covers and only the entry had, by sequence number. */
type Arrivals = Map<number, { n: string; xid: string }>;

/**
 * Completes rows of a range whose entries are in cold storage, one after the other in their order: with what the seal's MAC
 * covers, and with their texts where a folder has them. Other rows stay as they are, so that an entry that was deleted
 * is still one that is gone.
 */
export async function createColdRows(
  client: ClientBase,
  range: { from: number; to: number },
  cold: Cold,
): Promise<{ complete(row: SealedRow): Promise<SealedRow> | SealedRow; close(): Promise<void> }> {
  const months = cold.months.filter(({ from, to }) => from < range.to && to > range.from);
  if (months.length === 0) return { complete: (row) => row, close: async () => {} };
  const arrivals = await readArrivals(client, range);
  const reader = createArchiveReader(cold.folders);

  async function fromFolder(row: SealedRow, month: ColdMonth): Promise<SealedRow> {
    const line = await reader.lineOf(month.manifestSha256, row.seq);
    if (line === 'no_folder') return { ...row, cold: 'absent' };
    return line === undefined || !isOf(line, row) ? { ...row, cold: 'damaged' } : filled(row, line);
  }

  return {
    complete(row) {
      if (row.entry !== null) return row;
      const month = coldMonthOf(months, row.seq, row.entryId);
      if (month === undefined) return row;
      const known = { ...row, ...arrivals.get(row.seq) };
      return cold.folders.length === 0 ? { ...known, cold: 'absent' } : fromFolder(known, month);
    },
    close: () => reader.close(),
  };
}

async function readArrivals(client: ClientBase, { from, to }: { from: number; to: number }): Promise<Arrivals> {
  const { rows } = await client.query<{ seq: string; n: string; xid: string }>(
    `select u.seq, u.n, u.xid from audit_archive_part p, unnest(p.seqs, p.ns, p.xids) as u (seq, n, xid)
      where p.first_seq < $2 and p.last_seq >= $1 and u.seq >= $1 and u.seq < $2`,
    [from, to],
  );
  return new Map(rows.map(({ seq, n, xid }) => [Number(seq), { n, xid }]));
}

/** Whether a line is the one of this seal, and its text the one that was sealed. */
function isOf(line: ExportLine, row: SealedRow): line is ExportLine & { entry: string } {
  return (
    line.entry !== null &&
    line.id === row.entryId &&
    line.n === row.n &&
    line.xid === row.xid &&
    String(line.era) === row.era &&
    line.sealedAt === row.sealedAt &&
    line.horizon === row.horizon &&
    line.prevHash === row.prevHash.toString('hex') &&
    line.hash === row.hash.toString('hex') &&
    line.sealHmac === row.sealMac.toString('hex') &&
    line.leafHash === row.leafHash.toString('hex') &&
    leafHash(line.entry).equals(row.leafHash)
  );
}

function filled(row: SealedRow, line: ExportLine & { entry: string }): SealedRow {
  const stored = line.columns ?? row.stored;
  return { ...row, entry: line.entry, entryHmac: Buffer.from(line.entryHmac ?? '', 'hex'), stored, cold: 'read' };
}
