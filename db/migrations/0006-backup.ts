import { Migration } from '@mikro-orm/migrations';

/** Runs of backups and restore drills. What a backup is lies in its manifest, beside the file and outside the database. */
export class Backup extends Migration {
  override name = '0006-backup';

  override up(): void {
    this.addSql(`
      create table backup_run (
        id uuid primary key,
        trigger text not null check (trigger in ('schedule', 'boot', 'manual', 'cli')),
        requested_by uuid references app_user,
        workflow_id text,
        status text not null check (status in ('running', 'succeeded', 'failed', 'cancelled')),
        phase text not null check (phase in ('dump', 'validate', 'copy')),
        bytes_done bigint not null default 0,
        started_at timestamptz not null default clock_timestamp(),
        seen_at timestamptz not null default clock_timestamp(),
        finished_at timestamptz,
        reason text,
        snapshot_at timestamptz,
        file_bytes bigint,
        dump_bytes bigint,
        file_sha256 text,
        table_count integer,
        row_count bigint,
        audit_seq bigint,
        postgres_version text,
        copied_at timestamptz,
        copy_failure text,
        deleted_at timestamptz,
        check ((status = 'running') = (finished_at is null)),
        check ((status = 'failed') <= (reason is not null)),
        check ((status = 'succeeded') <= (snapshot_at is not null and file_sha256 is not null))
      );
      create unique index backup_run_one_at_a_time on backup_run ((true)) where status = 'running';
      create index backup_run_by_time on backup_run (started_at desc, id desc);
      create index backup_run_good on backup_run (snapshot_at desc) where status = 'succeeded';
      comment on column backup_run.seen_at is 'a running one that was not seen for some minutes is given up';
      comment on column backup_run.snapshot_at is 'set when the file was written and read back: from then on it is a good backup';

      create table restore_drill (
        id uuid primary key,
        backup_id uuid,
        trigger text not null check (trigger in ('schedule', 'boot', 'manual', 'cli')),
        requested_by uuid references app_user,
        workflow_id text,
        status text not null check (status in ('running', 'succeeded', 'failed', 'cancelled')),
        phase text not null check (phase in ('restore', 'count', 'audit')),
        bytes_done bigint not null default 0,
        started_at timestamptz not null default clock_timestamp(),
        seen_at timestamptz not null default clock_timestamp(),
        finished_at timestamptz,
        reason text,
        tables_checked integer,
        rows_checked bigint,
        audit_checked bigint,
        check ((status = 'running') = (finished_at is null)),
        check ((status = 'failed') <= (reason is not null))
      );
      create unique index restore_drill_one_at_a_time on restore_drill ((true)) where status = 'running';
      create index restore_drill_by_time on restore_drill (started_at desc, id desc);
      comment on column restore_drill.backup_id is
        'no foreign key: in a restored database the runs after its own backup are unknown';
    `);
  }
}
