import { oneRow, row, rows, run, type Tx } from './sql.ts';

/** The table of a month of the audit log, or of everything from before it had months. */
export interface MonthTable {
  /** `YYYY-MM` or `past`. */
  month: string;
  name: string;
  /** Its ids, `endId` exclusive. */
  firstId: string;
  endId: string;
}

/** Before every UUIDv7. */
const FIRST_ID = '00000000-0000-0000-0000-000000000000';
/** How long appends and reads may have to wait behind a change of the log's table that waits itself. */
const SHORT_LOCK = `set local lock_timeout = '250ms'`;

/** The name of the table of `YYYY-MM` or `past`. */
export const tableOf = (month: string): string => `audit_entry_${month.replace('-', '')}`;

/** The table of a month, undefined where the log has none. */
export async function monthTable(tx: Tx, month: string): Promise<MonthTable | undefined> {
  const name = tableOf(month);
  const found = await row<{ bound: string }>(
    tx,
    `select pg_get_expr(c.relpartbound, c.oid) as bound from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'public.audit_entry'::regclass and c.oid = to_regclass('public.' || $1)`,
    [name],
  );
  const bounds = /^FOR VALUES FROM \((?:'([0-9a-f-]{36})'|MINVALUE)\) TO \('([0-9a-f-]{36})'\)$/.exec(
    found?.bound ?? '',
  );
  return bounds?.[2] === undefined ? undefined : { month, name, firstId: bounds[1] ?? FIRST_ID, endId: bounds[2] };
}

/** The first id of the month before the present one, and that month: what is younger stays. */
export async function keptFrom(tx: Tx): Promise<{ id: string; month: string }> {
  return oneRow(
    tx,
    `select audit_month_start(m.start) as id, to_char(m.start at time zone 'UTC', 'YYYY-MM') as month
       from (select (date_trunc('month', clock_timestamp() at time zone 'UTC') - interval '1 month')
                    at time zone 'UTC' as start) m`,
  );
}

/** First ids of the month and of the next one. */
export async function idsOf(tx: Tx, month: string): Promise<{ firstId: string; endId: string }> {
  return oneRow(
    tx,
    `select audit_month_start(m.start at time zone 'UTC') as "firstId",
            audit_month_start((m.start + interval '1 month') at time zone 'UTC') as "endId"
       from (select ($1 || '-01')::timestamp as start) m`,
    [month],
  );
}

/** What a month's table holds. Sequence numbers are null where nothing is sealed; `to` is exclusive. */
export async function contentsOf(
  tx: Tx,
  { name }: MonthTable,
): Promise<{ entries: number; sealed: number; from: number; to: number }> {
  const found = await oneRow<{ entries: string; sealed: string; first: string | null; last: string | null }>(
    tx,
    `select count(*) as entries, count(s.seq) as sealed, min(s.seq) as first, max(s.seq) as last
       from public.${name} e left join audit_seal s on s.entry_id = e.id`,
  );
  const { entries, sealed, first, last } = found;
  return { entries: Number(entries), sealed: Number(sealed), from: Number(first ?? 0), to: Number(last ?? -1) + 1 };
}

/** Entries in the table that takes what has no month of its own. */
export async function restHolds(tx: Tx, { firstId, endId }: { firstId: string; endId: string }): Promise<boolean> {
  const { found } = await oneRow<{ found: boolean }>(
    tx,
    'select exists (select from public.audit_entry_rest where id >= $1 and id < $2) as found',
    [firstId, endId],
  );
  return found;
}

/** Whether a backup runs, which reads every table that there was when it began. */
export async function isBackupRunning(tx: Tx): Promise<boolean> {
  const { running } = await oneRow<{ running: boolean }>(
    tx,
    `select exists (select from backup_run where status = 'running') as running`,
  );
  return running;
}

/** Arrivals that are kept in one row: small enough to be read for a range, large enough to be compressed. */
const PART_ROWS = 4096;

/** Keeps what the MACs of the seals cover and only the entries have. Safe to repeat. */
export async function keepArrivals(tx: Tx, { name }: MonthTable): Promise<void> {
  await run(
    tx,
    `insert into audit_archive_part (first_seq, last_seq, seqs, ns, xids)
     select min(seq), max(seq), array_agg(seq order by seq), array_agg(n order by seq), array_agg(xid order by seq)
       from (select s.seq, e.n, e.xid, (row_number() over (order by s.seq) - 1) / ${PART_ROWS} as part
               from public.${name} e join audit_seal s on s.entry_id = e.id) one
      group by part
     on conflict (first_seq) do nothing`,
  );
}

/** Until the transaction ends nobody writes to the month, and everybody reads it. */
export async function freezeMonth(tx: Tx, { name }: MonthTable): Promise<void> {
  await run(tx, `set local lock_timeout = '5s'`);
  await run(tx, `lock table public.${name} in share mode`);
}

/**
 * Drops a month, as the owner. The last statement of its transaction: from here to its end nobody reads or appends.
 *
 * @throws pg.DatabaseError 55P03 when others hold the table for longer than a moment
 */
export async function dropMonth(tx: Tx, { name }: MonthTable): Promise<void> {
  await run(tx, SHORT_LOCK);
  // Not concurrently: PostgreSQL refuses that beside a default partition.
  await run(tx, `alter table public.audit_entry detach partition public.${name}`);
  await run(tx, `drop table public.${name}`);
}

/**
 * Makes the table that a month is brought back into, not yet a part of the log. One that an interrupted run left is
 * replaced.
 */
export async function makeMonth(tx: Tx, { name }: MonthTable): Promise<void> {
  await run(tx, `drop table if exists public.${name}`);
  await run(
    tx,
    `create table public.${name} (like public.audit_entry including defaults including constraints including indexes
       including storage including compression)`,
  );
}

/** What tells PostgreSQL that all rows belong to the month, so that it needs not look while the log's table is locked. */
const WITHIN = 'audit_entry_within_month';

/** Checks that a filled table holds the month and nothing else, and that many entries. @throws pg.DatabaseError */
export async function closeMonth(tx: Tx, { name, firstId, endId }: MonthTable, entries: number): Promise<void> {
  await run(
    tx,
    `alter table public.${name} add constraint ${WITHIN} check (id is not null and id >= '${firstId}' and id < '${endId}')`,
  );
  const [found] = await rows<{ count: string }>(tx, `select count(*) as count from public.${name}`);
  if (Number(found?.count) !== entries)
    throw new Error(`${found?.count} entries were loaded in the place of ${entries}`);
  await run(tx, `analyze public.${name}`);
}

/**
 * Makes a filled table a part of the log again. The last statements of their transaction.
 *
 * @throws pg.DatabaseError 55P03 when others hold the table for longer than a moment
 */
export async function attachMonth(tx: Tx, { month, name, firstId, endId }: MonthTable): Promise<void> {
  await run(tx, SHORT_LOCK);
  await run(
    tx,
    `create trigger ${name}_no_truncate before truncate on public.${name}
       for each statement execute function public.audit_refuse_change()`,
  );
  const from = month === 'past' ? 'minvalue' : `'${firstId}'`;
  await run(
    tx,
    `alter table public.audit_entry attach partition public.${name} for values from (${from}) to ('${endId}')`,
  );
  await run(tx, `alter table public.${name} drop constraint ${WITHIN}`);
}
