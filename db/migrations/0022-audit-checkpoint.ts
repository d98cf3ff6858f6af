import { Migration } from '@mikro-orm/migrations';

/** What was published of the audit log outside the database: a record of it, after the fact (docs/adr/0060-checkpoints.md). */
export class AuditCheckpoint extends Migration {
  override name = '0022-audit-checkpoint';

  override up(): void {
    this.addSql(TABLE);
  }
}

const TABLE = `
  create table audit_checkpoint (
    fork integer not null check (fork >= 0),
    size bigint not null check (size > 0),
    root bytea not null check (length(root) = 32),
    head bytea not null check (length(head) = 32),
    note text not null,
    key text not null,
    at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    trigger text not null check (trigger in ('schedule', 'backup', 'restore', 'request', 'evidence', 'found')),
    places jsonb not null,
    witness text not null check (witness in ('none', 'cosigned', 'refused', 'unreachable', 'invalid')),
    primary key (fork, size)
  );
  create index audit_checkpoint_time on audit_checkpoint (recorded_at, fork, size);
  comment on table audit_checkpoint is
    'a record for lists and alerts; what counts is what was published, and a row here proves nothing';
  comment on column audit_checkpoint.key is 'the verifier key of who signed it';
  comment on column audit_checkpoint.trigger is 'found: published by a process that died before it could record it';
  comment on column audit_checkpoint.places is 'name of the place: null, or why it was not published there';

  create trigger audit_checkpoint_append_only before update or delete on audit_checkpoint
    for each row execute function audit_refuse_change();
  create trigger audit_checkpoint_no_truncate before truncate on audit_checkpoint
    for each statement execute function audit_refuse_change();
`;
