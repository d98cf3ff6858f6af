import { Migration } from '@mikro-orm/migrations';

/**
 * The entries of the audit log by month, so that an old month can be taken to cold storage as a table of its own
 * (docs/adr/0062-audit-months.md). The month is that of the id, a UUIDv7: the primary key stays one over all months.
 *
 * The columns beside the text are written by the appender from here on: five columns generated from the text cost an
 * append four fifths of its time. That they agree with the text is what verification has always recomputed.
 */
export class AuditPartitions extends Migration {
  override name = '0020-audit-partitions';

  override up(): void {
    this.addSql(PAST);
    this.addSql(MONTHS);
    this.addSql(PARTITIONED);
    this.addSql(PENDING);
  }
}

/** What there is becomes the first partition, without a copy. */
const PAST = `
  create or replace function audit_refuse_change() returns trigger language plpgsql as $$
  begin
    -- A month is part of its table, whose name people know.
    raise exception '% is append-only: % is refused', regexp_replace(tg_table_name, '^audit_entry_.*', 'audit_entry'), tg_op
      using errcode = 'insufficient_privilege';
  end $$;
  drop trigger audit_entry_append_only on audit_entry;
  drop trigger audit_entry_no_truncate on audit_entry;
  alter table audit_entry rename to audit_entry_past;
  alter table audit_entry_past
    alter column at drop expression, alter column action drop expression, alter column actor drop expression,
    alter column subject drop expression, alter column outcome drop expression,
    alter column n drop identity, alter column n set default 0, alter column outcome set not null,
    add column severity text;
  drop function audit_time(text);
  -- A partition has its table's constraints under their names.
  alter table audit_entry_past rename constraint audit_entry_entry_hmac_check to audit_entry_hmac_length;
  alter index audit_entry_pkey rename to audit_entry_past_pkey;
  ${['arrival', 'time', 'action', 'actor', 'subject']
    .map((index) => `alter index audit_entry_${index} rename to audit_entry_past_${index};`)
    .join('\n  ')}
  create index audit_entry_past_severity on audit_entry_past (severity, at, id) where severity <> 'info';
`;

/** Each index is the front of one filter and ends with the order of a page, so a page costs the same anywhere in the log. */
const PARTITIONED = `
  create table audit_entry (
    id uuid primary key,
    n bigint not null generated always as identity,
    era integer not null default 0,
    xid xid8 not null default pg_current_xact_id(),
    entry text not null,
    entry_hmac bytea not null constraint audit_entry_hmac_length check (length(entry_hmac) = 32),
    at timestamptz not null,
    action text not null,
    actor text,
    subject text,
    outcome text not null,
    severity text
  ) partition by range (id);
  create index audit_entry_arrival on audit_entry (era, xid, n);
  create index audit_entry_time on audit_entry (at, id);
  create index audit_entry_action on audit_entry (action, at, id);
  create index audit_entry_actor on audit_entry (actor, at, id) where actor is not null;
  create index audit_entry_subject on audit_entry (subject, at, id) where subject is not null;
  create index audit_entry_severity on audit_entry (severity, at, id) where severity <> 'info';
  comment on table audit_entry is
    'by month of the id (UUIDv7); a column beside the text has to say what the text says, which verification recomputes';
  comment on column audit_entry.n is 'order of arrival within one transaction; has gaps, and is no order of commits';
  comment on column audit_entry.xid is 'the transaction that wrote the entry: comparable within one era only';
  create trigger audit_entry_append_only before update or delete on audit_entry
    for each row execute function audit_refuse_change();
  create trigger audit_entry_no_truncate before truncate on audit_entry
    for each statement execute function audit_refuse_change();

  -- Numbers go on where they stood, and new entries belong to the era that the log is in.
  do $$
  declare
    past_end uuid := audit_month_start(date_trunc('month', clock_timestamp(), 'UTC') + interval '1 month');
  begin
    perform setval(pg_get_serial_sequence('audit_entry', 'n'), (select coalesce(max(n), 0) + 1 from audit_entry_past), false);
    execute format('alter table audit_entry alter column era set default %s', (select max(era) from audit_era));
    if exists (select from audit_entry_past) then
      execute format('alter table audit_entry attach partition audit_entry_past for values from (minvalue) to (%L)', past_end);
      create trigger audit_entry_past_no_truncate before truncate on audit_entry_past
        for each statement execute function audit_refuse_change();
    else
      drop table audit_entry_past;
    end if;
  end $$;
  create table audit_entry_rest partition of audit_entry default;
  comment on table audit_entry_rest is
    'takes what has no month of its own: appends go on when maintenance is late, and an incident says that it is';
  create trigger audit_entry_rest_no_truncate before truncate on audit_entry_rest
    for each statement execute function audit_refuse_change();
  create function audit_entry_strays(since timestamptz) returns bigint language sql stable security definer
    set search_path = pg_catalog, public, pg_temp as
    $$ select count(*) from public.audit_entry_rest where at > since $$;
  comment on function audit_entry_strays is 'entries that found no table of their month, which the application may not read by itself';
  select audit_entry_maintain();
`;

const MONTHS = `
  create function audit_month_start(month timestamptz) returns uuid language sql immutable strict parallel safe as
    $$ select (lpad(to_hex((date_part('epoch', month) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;
  comment on function audit_month_start is 'the first UUIDv7 of a month: what the months of the audit log are parted by';

  create function audit_entry_maintain() returns table (created integer)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '250ms' as $$
  declare
    this_month timestamptz := date_trunc('month', clock_timestamp(), 'UTC');
    past_end uuid := (select substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \\(''([0-9a-f-]{36})''\\)')::uuid
      from pg_class c where c.oid = to_regclass('public.audit_entry_past') and c.relispartition);
    month timestamptz;
    part text;
    first_id uuid;
    end_id uuid;
  begin
    created := 0;
    for month in select this_month + make_interval(months => ahead) from generate_series(0, 3) ahead loop
      part := 'audit_entry_' || to_char(month at time zone 'UTC', 'YYYYMM');
      first_id := public.audit_month_start(month);
      end_id := public.audit_month_start((month at time zone 'UTC' + interval '1 month') at time zone 'UTC');
      continue when to_regclass('public.' || part) is not null or first_id < past_end;
      -- A month that began without a table stays where it is: entries are not moved.
      continue when to_regclass('public.audit_entry_rest') is not null
        and exists (select from public.audit_entry_rest r where r.id >= first_id and r.id < end_id);
      execute format('create table public.%I partition of public.audit_entry for values from (%L) to (%L)', part, first_id, end_id);
      execute format('create trigger %I before truncate on public.%I for each statement
        execute function public.audit_refuse_change()', part || '_no_truncate', part);
      created := created + 1;
    end loop;
    return next;
  end $$;
  comment on function audit_entry_maintain is
    'makes the tables of this month and the three to come; gives up soon on its lock, which a running backup holds, and comes again';
`;

/**
 * As in 0005. Entries of the transactions that were running are looked up one transaction after the other: over several
 * months the planner would walk all entries in their order instead, to spare itself a sort.
 */
const PENDING = `
  create or replace function audit_pending(after_xid xid8, after_n bigint, max_rows integer)
    returns table (id uuid, n bigint, era integer, xid xid8, entry text, entry_hmac bytea, at timestamptz)
    language plpgsql stable
    set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan as $$
  declare
    current_era integer := (select e.era from audit_era e order by e.era desc limit 1);
    seen pg_snapshot := (select s.horizon from audit_seal s
      where s.horizon is not null and s.era = current_era order by s.seq desc limit 1);
    seen_before xid8 := coalesce(pg_snapshot_xmax(seen), '0');
    seen_running xid8[] := array(select pg_snapshot_xip(seen));
  begin
    return query
      select p.id, p.n, p.era, p.xid, p.entry, p.entry_hmac, p.at from (
        (select e.* from audit_entry e
          where e.era = current_era and e.xid >= seen_before and (e.xid, e.n) > (after_xid, after_n)
            and (select s.seq from audit_seal s where s.entry_id = e.id) is null
          order by e.xid, e.n limit max_rows)
        union all
        (select e.* from unnest(seen_running) running (xid) cross join lateral (
            select late.* from audit_entry late
             where late.era = current_era and late.xid = running.xid and (late.xid, late.n) > (after_xid, after_n)
               and (select s.seq from audit_seal s where s.entry_id = late.id) is null
             order by late.xid, late.n limit max_rows) e
          order by e.xid, e.n limit max_rows)) as p
      order by p.xid, p.n limit max_rows;
  end $$;
`;
