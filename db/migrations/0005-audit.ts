import { Migration } from '@mikro-orm/migrations';

/**
 * The append-only audit log. Entries are written in the caller's own transaction; a sealer chains what is visible
 * (docs/adr/0006-one-sealer.md). Columns beside the text are generated from it, so they cannot disagree with what is
 * hashed; what the sealer adds lies under its MAC.
 */
export class Audit extends Migration {
  override name = '0005-audit';

  override up(): void {
    this.addSql(TABLES);
    this.addSql(APPEND_ONLY);
    this.addSql(SEALING);
  }
}

const TABLES = `
  create function audit_time(entry text) returns timestamptz language sql immutable strict parallel safe
    set timezone = 'UTC' as $$ select (entry::jsonb ->> 'at')::timestamptz $$;

  create table audit_entry (
    id uuid primary key,
    n bigint not null generated always as identity,
    era integer not null default 0,
    xid xid8 not null default pg_current_xact_id(),
    entry text not null,
    entry_hmac bytea not null check (length(entry_hmac) = 32),
    at timestamptz not null generated always as (audit_time(entry)) stored,
    action text not null generated always as (entry::jsonb ->> 'action') stored,
    actor text generated always as (entry::jsonb #>> '{actor,id}') stored,
    subject text generated always as (entry::jsonb #>> '{subject,id}') stored,
    outcome text generated always as (entry::jsonb ->> 'outcome') stored
  );
  create index audit_entry_arrival on audit_entry (era, xid, n);
  create index audit_entry_time on audit_entry (at, id);
  create index audit_entry_action on audit_entry (action, at, id);
  create index audit_entry_actor on audit_entry (actor, at, id) where actor is not null;
  create index audit_entry_subject on audit_entry (subject, at, id) where subject is not null;
  comment on column audit_entry.n is 'order of arrival within one transaction; has gaps, and is no order of commits';
  comment on column audit_entry.xid is 'the transaction that wrote the entry: comparable within one era only';

  create table audit_era (
    era integer primary key,
    cluster text not null,
    started_at timestamptz not null default clock_timestamp()
  );
  comment on table audit_era is
    'transaction ids count from the beginning in a restored cluster, so each cluster that held the log is an era';
  insert into audit_era (era, cluster) select 0, system_identifier::text from pg_control_system();

  create table audit_seal (
    seq bigint primary key check (seq >= 0),
    entry_id uuid not null unique,
    era integer not null,
    prev_hash bytea not null check (length(prev_hash) = 32),
    hash bytea not null check (length(hash) = 32),
    leaf_hash bytea not null check (length(leaf_hash) = 32),
    seal_hmac bytea not null check (length(seal_hmac) = 32),
    horizon pg_snapshot,
    sealed_at timestamptz not null
  );
  create index audit_seal_horizon on audit_seal (era, seq) where horizon is not null;
  comment on column audit_seal.entry_id is
    'no foreign key: its check would lock, and so rewrite, every sealed entry; verification finds seals without an entry';
  comment on column audit_seal.horizon is
    'every entry that was visible in this snapshot is sealed with this row or an earlier one';

  create table audit_log_origin (
    id boolean primary key default true check (id),
    origin text not null,
    created_at timestamptz not null default clock_timestamp()
  );
  comment on table audit_log_origin is 'names this log; the first hash is made of it, so no entry can move to another log';
  insert into audit_log_origin (origin) values ('tradeguard.local/' || gen_random_uuid());

  create table audit_verification (
    id uuid primary key,
    status text not null check (status in ('requested', 'running', 'valid', 'invalid', 'cancelled', 'failed')),
    requested_by uuid references app_user,
    requested_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    total bigint,
    checked bigint not null default 0,
    unsealed bigint,
    first_invalid_seq bigint,
    reason text,
    head_hash bytea,
    check ((status in ('valid', 'invalid', 'cancelled', 'failed')) = (finished_at is not null)),
    check ((status in ('invalid', 'failed')) = (reason is not null))
  );
  create index audit_verification_valid on audit_verification (checked) where status = 'valid';
`;

/** Grants keep the application out; these hold against the owner as well, until he takes a trigger away on purpose. */
const APPEND_ONLY = `
  create function audit_refuse_change() returns trigger language plpgsql as $$
  begin
    raise exception '% is append-only: % is refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';
  end $$;
  ${['audit_entry', 'audit_era', 'audit_seal', 'audit_log_origin']
    .map(
      (table) => `
  create trigger ${table}_append_only before update or delete on ${table}
    for each row execute function audit_refuse_change();
  create trigger ${table}_no_truncate before truncate on ${table}
    for each statement execute function audit_refuse_change();`,
    )
    .join('')}
`;

/**
 * What may still be unsealed: entries of transactions that the last horizon had not seen end. The look-up by each
 * transaction that was running then, and the range behind the horizon, are index scans however long the log is and
 * however long a transaction stays open. The settings keep the planner from ever reading the whole log for it.
 */
const SEALING = `
  create function audit_pending(after_xid xid8, after_n bigint, max_rows integer)
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
        (select e.* from audit_entry e
          where e.era = current_era and e.xid = any (seen_running) and (e.xid, e.n) > (after_xid, after_n)
            and (select s.seq from audit_seal s where s.entry_id = e.id) is null
          order by e.xid, e.n limit max_rows)) as p
      order by p.xid, p.n limit max_rows;
  end $$;

  create function audit_begin_era() returns integer language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
  declare
    here text := (select system_identifier::text from pg_control_system());
    latest audit_era := (select e from audit_era e order by e.era desc limit 1);
  begin
    if latest.cluster = here then return latest.era; end if;
    -- The lock waits for appends that run: all of the old era is visible to the caller's next statement.
    execute format('alter table public.audit_entry alter column era set default %s', latest.era + 1);
    insert into audit_era (era, cluster) values (latest.era + 1, here);
    return latest.era + 1;
  end $$;
  comment on function audit_begin_era is 'after a restore into another cluster: new entries belong to a new era';
`;
