import { Migration } from '@mikro-orm/migrations';

/**
 * The append-only audit log. Entries are written in the caller's own transaction; a sealer chains what is visible
 * (docs/adr, "one sealer"). Columns beside the text are generated from it, so they cannot disagree with what is hashed.
 */
export class Audit extends Migration {
  override name = '0005-audit';

  override up(): void {
    this.addSql(`
      create function audit_time(entry text) returns timestamptz language sql immutable strict parallel safe
        set timezone = 'UTC' as $$ select (entry::jsonb ->> 'at')::timestamptz $$;

      create table audit_entry (
        id uuid primary key,
        xid xid8 not null default pg_current_xact_id(),
        entry text not null,
        entry_hmac bytea not null check (length(entry_hmac) = 32),
        at timestamptz not null generated always as (audit_time(entry)) stored,
        action text not null generated always as (entry::jsonb ->> 'action') stored,
        actor text generated always as (entry::jsonb #>> '{actor,id}') stored,
        subject text generated always as (entry::jsonb #>> '{subject,id}') stored,
        outcome text generated always as (entry::jsonb ->> 'outcome') stored
      );
      create index audit_entry_time on audit_entry (at desc, id desc);
      create index audit_entry_action on audit_entry (action, at desc);
      create index audit_entry_actor on audit_entry (actor, at desc);
      create index audit_entry_subject on audit_entry (subject, at desc);

      create table audit_seal (
        seq bigint primary key check (seq >= 0),
        entry_id uuid not null unique references audit_entry,
        prev_hash bytea not null check (length(prev_hash) = 32),
        hash bytea not null check (length(hash) = 32),
        leaf_hash bytea not null check (length(leaf_hash) = 32),
        sealed_at timestamptz not null default clock_timestamp()
      );

      create table audit_log_origin (
        id boolean primary key default true check (id),
        origin text not null,
        created_at timestamptz not null default clock_timestamp()
      );

      create function audit_refuse_change() returns trigger language plpgsql as $$
      begin
        raise exception '% is append-only: % is refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';
      end $$;

      create trigger audit_entry_append_only before update or delete on audit_entry
        for each row execute function audit_refuse_change();
      create trigger audit_entry_no_truncate before truncate on audit_entry
        for each statement execute function audit_refuse_change();
      create trigger audit_seal_append_only before update or delete on audit_seal
        for each row execute function audit_refuse_change();
      create trigger audit_seal_no_truncate before truncate on audit_seal
        for each statement execute function audit_refuse_change();
      create trigger audit_log_origin_append_only before update or delete on audit_log_origin
        for each row execute function audit_refuse_change();
    `);
  }
}
