import { Migration } from '@mikro-orm/migrations';

/**
 * What an entry costs beside its text, and a look for pending entries that costs the same in a log of any length.
 *
 * The length of an entry's MAC is no constraint any more: PostgreSQL reads a check anew from its text for every statement,
 * which was a sixth of what it spent on an entry, and verification names a MAC that is not the key's whatever its length.
 */
export class AuditAppends extends Migration {
  override name = '0028-audit-appends';

  override up(): void {
    this.addSql('alter table audit_entry drop constraint audit_entry_hmac_length');
    // Numbers order the entries of one transaction, which has one session: each session may hold some in store.
    this.addSql('alter table audit_entry alter column n set cache 32');
    this.addSql(PENDING);
  }
}

/**
 * As in 0020, with one lower bound for the scan of later transactions. Of two, the horizon and the place where the last
 * batch ended, PostgreSQL begins at the row comparison, wherever that is, and goes through everything from there on.
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
    is_behind boolean := after_xid < seen_before;
    from_xid xid8 := case when is_behind then seen_before else after_xid end;
    from_n bigint := case when is_behind then -1 else after_n end;
  begin
    return query
      select p.id, p.n, p.era, p.xid, p.entry, p.entry_hmac, p.at from (
        (select e.* from audit_entry e
          where e.era = current_era and (e.xid, e.n) > (from_xid, from_n)
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
