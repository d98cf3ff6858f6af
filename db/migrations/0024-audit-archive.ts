import { Migration } from '@mikro-orm/migrations';

/** Months of the audit log whose entries were taken to cold storage (docs/adr/0064-cold-storage.md). */
export class AuditArchive extends Migration {
  override name = '0024-audit-archive';

  override up(): void {
    this.addSql(TABLES);
    this.addSql('alter table audit_verification add column archived bigint');
  }
}

const TABLES = `
  create table audit_archive (
    number integer primary key check (number > 0),
    kind text not null check (kind in ('archived', 'restored')),
    month text not null check (month ~ '^([0-9]{4}-(0[1-9]|1[0-2])|past)$'),
    from_seq bigint not null check (from_seq >= 0),
    to_seq bigint not null check (to_seq > from_seq),
    first_id uuid not null,
    end_id uuid not null check (end_id > first_id),
    entries bigint not null check (entries > 0),
    manifest_sha256 bytea not null check (length(manifest_sha256) = 32),
    recorded_by text not null default session_user,
    at timestamptz not null default clock_timestamp()
  );
  comment on table audit_archive is
    'a record for lists; what counts is the audit entry of the same number, whose MAC nobody can make who has only the database';
  comment on column audit_archive.to_seq is 'exclusive; between from_seq and to_seq entries of the neighbouring months may stand';

  create table audit_archive_part (
    first_seq bigint primary key,
    last_seq bigint not null check (last_seq >= first_seq),
    seqs bigint[] not null,
    ns bigint[] not null,
    xids xid8[] not null,
    check (cardinality(seqs) = cardinality(ns) and cardinality(seqs) = cardinality(xids))
  );
  comment on table audit_archive_part is
    'what the MACs of seals cover and only entries had: arrival numbers and transactions of entries in cold storage';

  create trigger audit_archive_append_only before update or delete on audit_archive
    for each row execute function audit_refuse_change();
  create trigger audit_archive_no_truncate before truncate on audit_archive
    for each statement execute function audit_refuse_change();
  create trigger audit_archive_part_append_only before update or delete on audit_archive_part
    for each row execute function audit_refuse_change();
  create trigger audit_archive_part_no_truncate before truncate on audit_archive_part
    for each statement execute function audit_refuse_change();
`;
