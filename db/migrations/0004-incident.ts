import { Migration } from '@mikro-orm/migrations';

/** Incidents with their evidence and timeline. */
export class Incident extends Migration {
  override name = '0004-incident';

  override up(): void {
    this.addSql(`
      create table incident (
        id uuid primary key,
        cause text not null,
        subject_kind text not null check (subject_kind in ('user', 'login_subject', 'transaction', 'system')),
        subject_id text not null,
        user_id uuid references app_user,
        severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
        status text not null check (status in ('open', 'investigating', 'resolved')),
        title text not null,
        opened_at timestamptz not null default clock_timestamp(),
        assigned_to uuid references app_user,
        escalations integer not null default 0,
        resolved_at timestamptz,
        resolved_by uuid references app_user,
        resolution text
      );
      create unique index incident_unresolved on incident (cause, subject_kind, subject_id) where status <> 'resolved';
      create index incident_by_time on incident (opened_at desc, id desc);
      create index incident_open on incident (status, severity) where status <> 'resolved';

      create table incident_event (
        id bigint generated always as identity primary key,
        incident_id uuid not null references incident,
        key text not null unique,
        kind text not null check (kind in ('opened', 'evidence', 'notified', 'investigating', 'escalated', 'note', 'resolved')),
        actor text not null,
        details jsonb not null default '{}',
        at timestamptz not null default clock_timestamp()
      );
      create index incident_event_incident on incident_event (incident_id, id);

      create table lost_workflow (
        workflow_id text primary key,
        losses integer not null default 1,
        last_at timestamptz not null default clock_timestamp()
      );
      comment on table lost_workflow is
        'workflows that ended before their row did and were started again: the count keeps the effects of the runs apart';
    `);
  }
}
