import type { AuditSeverity } from '../domain/audit-severity.ts';
import { row, rows, type Tx } from './sql.ts';

export interface AuditFilter {
  action: string | null;
  actor: string | null;
  subject: string | null;
  severity: AuditSeverity | null;
  /** RFC 3339, inclusive. */
  from: string | null;
  /** RFC 3339, exclusive. */
  to: string | null;
}

export interface FoundEntry {
  id: string;
  /** PostgreSQL's text of the time, to the microsecond. */
  at: string;
  /** Canonical JSON. */
  entry: string;
  /** Null until it is sealed, as the hash, which is hex. */
  seq: number | null;
  hash: string | null;
}

/**
 * Entries from the newest to the oldest, page by page. Each filter is the front of an index that ends with (at, id), so a
 * page costs the same anywhere in a log of any length.
 */
export async function searchAudit(
  tx: Tx,
  filter: AuditFilter,
  page: { limit: number; before: { at: string; id: string } | null },
): Promise<FoundEntry[]> {
  const params: unknown[] = [];
  const bind = (value: unknown, type: string) => `$${params.push(value)}::${type}`;
  const conditions: string[] = [];
  for (const column of ['action', 'actor', 'subject', 'severity'] as const) {
    if (filter[column] !== null) conditions.push(`e.${column} = ${bind(filter[column], 'text')}`);
  }
  // Said in so many words: a parameter alone does not tell the planner that the index of what is no everyday matter will do.
  if (filter.severity !== null && filter.severity !== 'info') conditions.push(`e.severity <> 'info'`);
  if (filter.from !== null) conditions.push(`e.at >= ${bind(filter.from, 'timestamptz')}`);
  if (filter.to !== null) conditions.push(`e.at < ${bind(filter.to, 'timestamptz')}`);
  if (page.before !== null) {
    conditions.push(`(e.at, e.id) < (${bind(page.before.at, 'timestamptz')}, ${bind(page.before.id, 'uuid')})`);
  }
  const found = await rows<{ id: string; entry: string; at: string; seq: string | null; hash: Buffer | null }>(
    tx,
    `select e.id, e.entry, e.at, s.seq, s.hash
       from (select e.id, e.entry, e.at from audit_entry e
              ${conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''}
              order by e.at desc, e.id desc limit ${bind(page.limit, 'integer')}) e
       left join audit_seal s on s.entry_id = e.id
      order by e.at desc, e.id desc`,
    params,
  );
  return found.map(({ id, entry, at, seq, hash }) => ({
    id,
    at,
    entry,
    seq: seq === null ? null : Number(seq),
    hash: hash === null ? null : hash.toString('hex'),
  }));
}

/** The name of this log. */
export async function auditOrigin(tx: Tx): Promise<string> {
  const found = await row<{ origin: string }>(tx, 'select origin from audit_log_origin');
  if (found === undefined) throw new Error('the audit log has no origin: run the migrations');
  return found.origin;
}

/** A sealed entry by its place in the chain; its text is null where its month is not in the database any more. */
export async function sealedEntry(
  tx: Tx,
  seq: number,
): Promise<{ entryId: string; leafHash: Buffer; entry: string | null } | undefined> {
  const found = await row<{ entry_id: string; leaf_hash: Buffer; entry: string | null }>(
    tx,
    `select s.entry_id, s.leaf_hash, e.entry from audit_seal s left join audit_entry e on e.id = s.entry_id where s.seq = $1`,
    [seq],
  );
  return found && { entryId: found.entry_id, leafHash: found.leaf_hash, entry: found.entry };
}
