import { Migration } from '@mikro-orm/migrations';

/** Runs of the rotation of keys, and since when secrets that only outsiders can change are the same. */
export class KeyRotation extends Migration {
  override name = '0012-key-rotation';

  override up(): void {
    this.addSql(`
      alter table keyring_key add column active_from timestamptz not null default clock_timestamp();
      comment on column keyring_key.active_from is
        'a new generation is in the table for a while before it is used, so that every process knows it by then';
      comment on column keyring_key.retired_at is 'when its successor becomes active; it opens and verifies until it is dropped';

      create table key_rotation (
        id uuid primary key,
        trigger text not null check (trigger in ('schedule', 'manual', 'cli')),
        scope text not null check (scope in ('all', 'field', 'session')),
        requested_by uuid references app_user,
        workflow_id text,
        status text not null check (status in ('running', 'succeeded', 'failed', 'cancelled')),
        fields_total bigint,
        fields_done bigint not null default 0,
        fields_unreadable bigint not null default 0,
        active_from timestamptz not null,
        started_at timestamptz not null default clock_timestamp(),
        seen_at timestamptz not null default clock_timestamp(),
        finished_at timestamptz,
        reason text,
        check ((status = 'running') = (finished_at is null)),
        check ((status = 'failed') <= (reason is not null))
      );
      create unique index key_rotation_one_at_a_time on key_rotation ((true)) where status = 'running';
      create index key_rotation_by_time on key_rotation (started_at desc, id desc);

      create table outside_secret (
        name text primary key,
        fingerprint bytea not null,
        since timestamptz not null default clock_timestamp()
      );
      comment on table outside_secret is
        'secrets that only an operator or a provider can change: a keyed fingerprint tells when they were, so that their age is known';
    `);
  }
}
