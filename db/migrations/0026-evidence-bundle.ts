import { Migration } from '@mikro-orm/migrations';

/** Evidence of incidents: who asked for a bundle and how that went, and the bundles, which nobody changes. */
export class EvidenceBundle extends Migration {
  override name = '0026-evidence-bundle';

  override up(): void {
    this.addSql(REQUEST);
    this.addSql(BUNDLE);
  }
}

const REQUEST = `
  create table evidence_request (
    id uuid primary key,
    incident_id uuid not null references incident,
    window_hours integer not null check (window_hours between 1 and 720),
    requested_by uuid not null references app_user,
    idempotency_key text,
    status text not null default 'requested' check (status in ('requested', 'running', 'ready', 'failed', 'cancelled')),
    reason text,
    requested_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    check ((status in ('ready', 'failed', 'cancelled')) = (finished_at is not null)),
    check ((status = 'failed') = (reason is not null))
  );
  create index evidence_request_incident on evidence_request (incident_id, requested_at, id);
  -- Two who ask for the same at the same time get the same bundle.
  create unique index evidence_request_active on evidence_request (incident_id, window_hours)
    where status in ('requested', 'running');
  create unique index evidence_request_key on evidence_request (incident_id, requested_by, idempotency_key);
`;

const BUNDLE = `
  create table evidence_bundle (
    id uuid primary key references evidence_request,
    document bytea not null check (length(document) > 0),
    sha256 bytea not null check (length(sha256) = 32),
    manifest_sha256 bytea not null check (length(manifest_sha256) = 32),
    entries integer not null check (entries >= 0),
    found integer not null check (found >= entries),
    pending integer not null check (pending >= 0),
    checkpoint text,
    valid boolean not null,
    first_invalid_seq bigint,
    invalid_reason text,
    made_at timestamptz not null default clock_timestamp(),
    check (valid = (invalid_reason is null))
  );
  comment on column evidence_bundle.document is 'gzipped JSON, as it is handed out: compressed already';
  alter table evidence_bundle alter column document set storage external;
  create trigger evidence_bundle_append_only before update or delete on evidence_bundle
    for each row execute function audit_refuse_change();
  create trigger evidence_bundle_no_truncate before truncate on evidence_bundle
    for each statement execute function audit_refuse_change();
`;
