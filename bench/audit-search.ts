import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { table } from '../cli/replay-report.ts';
import { percentile } from '../cli/replay-tally.ts';
import { type AuditFilter, searchAudit } from '../db/audit-search.ts';
import { createOrm, type Database } from '../db/orm.ts';
import { startLocalPostgres } from '../platform/local-postgres.ts';
import { createDatabase } from './bench-database.ts';

/**
 * What a page of the audit log costs as the log grows: the search of `GET audit-logs` on a PostgreSQL of its own, by every
 * filter and by several at once, from the newest entry and from a cursor in the middle of the log. The entries are of ten
 * months, and sealed; of ten million an actor and a subject have 200 each.
 */
const SIZES = [10_000, 10_000_000] as const;
const MONTHS = 10;
const CHUNK = 250_000;
const PAGE = 50;
const CALLS = 60;
const HOUR_MS = 3_600_000;

type Given = Partial<AuditFilter>;

/** Over what time the entries are spread, in milliseconds. */
interface Span {
  newest: number;
  oldest: number;
}

export async function auditSearchTable(say: (line: string) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-bench-'));
  const postgres = await startLocalPostgres({ dataDir: join(folder, 'data') });
  try {
    const ownerUrl = await createDatabase(postgres, 'search');
    const filler = new pg.Client({ connectionString: ownerUrl });
    await filler.connect();
    const db = await createOrm({ databaseUrl: ownerUrl, poolMax: 2, applicationName: 'bench' });
    try {
      const span = await pastMonths(filler);
      const first = new Map<string, number>();
      let there = 0;
      for (const size of SIZES) {
        say(`Writing up to ${size} entries ...`);
        const { rows: indexes } = await filler.query<{ name: string; definition: string }>(SECONDARY_INDEXES);
        for (const { name } of indexes) await filler.query(`drop index ${name}`);
        for (; there < size; there += CHUNK) {
          const range = [there, Math.min(there + CHUNK, size) - 1];
          await filler.query(ENTRIES, [...range, size, span.oldest, span.newest - span.oldest]);
        }
        there = size;
        for (const { definition } of indexes) await filler.query(definition);
        await filler.query('vacuum analyze audit_entry, audit_seal');
        const lines: string[][] = [];
        for (const [name, filter] of filtersOf(span)) {
          const found = await timesOf(db, filter, span);
          const [p50, p99] = [percentile(found.times, 50) ?? Number.NaN, percentile(found.times, 99) ?? Number.NaN];
          const before = first.get(name) ?? p50;
          first.set(name, before);
          lines.push([name, String(found.rows), p50.toFixed(1), p99.toFixed(1), `${(p50 / before).toFixed(2)} x`]);
        }
        say(table([`filter, ${size} entries`, 'rows', 'p50 ms', 'p99 ms', 'p50 ratio'], lines));
      }
    } finally {
      await filler.end();
      await db.close();
    }
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes the tables of the months before this one. @returns what time the entries are spread over, in milliseconds */
async function pastMonths(filler: pg.Client): Promise<Span> {
  for (let ago = 1; ago < MONTHS; ago += 1) await filler.query(PAST_MONTH(ago));
  const { rows } = await filler.query<{ oldest: string; newest: string }>(
    `select extract(epoch from date_trunc('month', clock_timestamp(), 'UTC') - $1 * interval '1 month') * 1000 as oldest,
            extract(epoch from clock_timestamp()) * 1000 as newest`,
    [MONTHS - 1],
  );
  return { oldest: Math.ceil(Number(rows[0]?.oldest)), newest: Math.floor(Number(rows[0]?.newest)) };
}

function filtersOf({ newest, oldest }: Span): [name: string, filter: Given][] {
  const middle = (newest + oldest) / 2;
  const window = { from: iso(middle - 12 * HOUR_MS), to: iso(middle + 12 * HOUR_MS) };
  return [
    ['none', {}],
    ['actor', { actor: 'user-7' }],
    ['subject', { subject: 'thing-11' }],
    ['action of every third entry', { action: 'test.often' }],
    ['action of one in ten thousand', { action: 'test.rarely' }],
    ['severity high', { severity: 'high' }],
    ['severity info', { severity: 'info' }],
    ['a day, in the middle', window],
    ['actor and action', { actor: 'user-7', action: 'test.often' }],
    ['actor, and an action that is not theirs', { actor: 'user-7', action: 'test.rarely' }],
    ['action and a severity it never has', { action: 'test.often', severity: 'high' }],
    ['action, on a day in the middle', { action: 'test.rarely', ...window }],
    ['nobody', { actor: 'user-of-another-log' }],
  ];
}

/** Pages from the newest entry and from the middle, in turns. `rows`: of the first one. */
async function timesOf(
  db: Database,
  given: Given,
  { newest, oldest }: Span,
): Promise<{ rows: number; times: number[] }> {
  const filter: AuditFilter = {
    action: null,
    actor: null,
    subject: null,
    severity: null,
    from: null,
    to: null,
    ...given,
  };
  const middle = { at: iso((newest + oldest) / 2), id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };
  const page = (before: typeof middle | null) =>
    db.transaction((tx) => searchAudit(tx, filter, { limit: PAGE + 1, before }));
  const { length: rows } = await page(null);
  await page(middle);
  const times: number[] = [];
  for (let n = 0; n < CALLS; n += 1) {
    const started = performance.now();
    await page(n % 2 === 0 ? null : middle);
    times.push(performance.now() - started);
  }
  return { rows, times: times.toSorted((a, b) => a - b) };
}

const iso = (ms: number) => new Date(ms).toISOString();

const PAST_MONTH = (ago: number) => `
  do $$ declare month timestamptz := date_trunc('month', clock_timestamp(), 'UTC') - interval '${ago} month'; begin
    execute format('create table audit_entry_%s partition of audit_entry for values from (%L) to (%L)',
      to_char(month at time zone 'UTC', 'YYYYMM'), audit_month_start(month), audit_month_start(month + interval '1 month'));
  end $$`;

const SECONDARY_INDEXES = `
  select i.indexrelid::regclass::text as name, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as definition
    from pg_index i where i.indrelid = 'audit_entry'::regclass and not i.indisunique`;

const ID = `(lpad(to_hex(ms), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid`;

/** Spread evenly over the time; one in a thousand is of severity high, one in ten thousand is rare. */
const ENTRIES = `
  with written as (
  insert into audit_entry (id, entry, entry_hmac, at, action, actor, subject, outcome, severity)
  select ${ID}, '{"action":"' || action || '","padding":"' || repeat('x', 380) || '"}', '\\x${'00'.repeat(32)}',
         to_timestamp(ms / 1000.0), action, 'user-' || n % 50000, 'thing-' || n % 50021, 'success',
         case when n % 1000 = 500 then 'high' else 'info' end
    from (select n, $4::bigint + (n::numeric * $5::bigint / $3::bigint)::bigint as ms,
                 case when n % 10000 = 77 then 'test.rarely' when n % 3 = 0 and n % 1000 <> 500 then 'test.often'
                      else 'test.sometimes' end as action
            from generate_series($1::bigint, $2::bigint) n) e
  returning id, at)
  insert into audit_seal (seq, entry_id, era, prev_hash, hash, leaf_hash, seal_hmac, sealed_at)
  select $1::bigint + row_number() over () - 1, id, 0, zero, zero, zero, zero, at
    from written, (select '\\x${'00'.repeat(32)}'::bytea as zero) z`;
