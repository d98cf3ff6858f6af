import { Migration } from '@mikro-orm/migrations';

/** How rule sets come to decide: proposals, back-test reports, events nobody can rewrite, and what a decision came to. */
export class RuleSetLife extends Migration {
  override name = '0018-rule-set-life';

  override up(): void {
    this.addSql(TABLES);
    this.addSql(GUARDS);
    this.addSql(DECISIONS);
  }
}

const TABLES = `
  create table backtest_report (
    id uuid primary key,
    version text not null references rule_set,
    sha256 bytea not null,
    period_from timestamptz not null,
    period_to timestamptz not null,
    status text not null check (status in ('requested', 'running', 'succeeded', 'failed', 'cancelled')),
    rows_total bigint,
    rows_done bigint not null default 0,
    result jsonb,
    reason text,
    made_by uuid references app_user,
    requested_at timestamptz not null default clock_timestamp(),
    made_at timestamptz,
    check (period_from < period_to),
    check ((status in ('succeeded', 'failed', 'cancelled')) = (made_at is not null)),
    check ((status = 'succeeded') = (result is not null))
  );
  create index backtest_report_version on backtest_report (version, requested_at desc);
  comment on column backtest_report.sha256 is 'of the document that was tested: a report is about this text and no other';

  create table rule_set_proposal (
    id uuid primary key,
    version text not null references rule_set,
    report_id uuid not null references backtest_report,
    replaces text not null references rule_set,
    reason text not null check (length(reason) between 1 and 1000),
    proposed_by uuid not null references app_user,
    proposed_at timestamptz not null default clock_timestamp(),
    status text not null check (status in ('open', 'approved', 'replaced', 'outdated', 'withdrawn')),
    decided_by uuid references app_user,
    decided_at timestamptz,
    check ((status = 'open') = (decided_at is null)),
    check (status <> 'approved' or decided_by is not null),
    constraint rule_set_second_person check (status <> 'approved' or decided_by <> proposed_by)
  );
  create unique index rule_set_proposal_open on rule_set_proposal (version) where status = 'open';
  comment on column rule_set_proposal.replaces is 'the version that was live: approval takes its place and nothing else''s';

  create table rule_set_event (
    id bigint generated always as identity primary key,
    version text not null references rule_set,
    kind text not null check (kind in ('saved', 'shadow', 'proposed', 'live', 'retired', 'demoted')),
    at timestamptz not null default clock_timestamp(),
    actor uuid references app_user,
    proposal_id uuid references rule_set_proposal,
    details jsonb not null default '{}'
  );
  create index rule_set_event_version on rule_set_event (version, id desc);
  create index rule_set_event_live on rule_set_event (id desc) where kind in ('live', 'demoted');
  comment on column rule_set_event.actor is 'null: the program itself';
  insert into rule_set_event (version, kind, at, details)
    select version, 'live', status_at, '{"installed": true}' from rule_set where status = 'live';
`;

/** Grants keep the application out; these hold against the owner as well, until he takes a trigger away on purpose. */
const GUARDS = `
  create trigger rule_set_event_append_only before update or delete on rule_set_event
    for each row execute function audit_refuse_change();
  create trigger rule_set_event_no_truncate before truncate on rule_set_event
    for each statement execute function audit_refuse_change();
  create trigger rule_set_no_delete before delete on rule_set for each row execute function audit_refuse_change();

  create function backtest_report_final() returns trigger language plpgsql as $$
  begin
    if old.made_at is not null or new.version <> old.version or new.sha256 <> old.sha256
       or new.period_from <> old.period_from or new.period_to <> old.period_to
       or new.made_by is distinct from old.made_by then
      raise exception 'back-test % is final', old.id using errcode = 'restrict_violation';
    end if;
    return new;
  end $$;
  create trigger backtest_report_final before update on backtest_report
    for each row execute function backtest_report_final();

  create function rule_set_keeps_one_live() returns trigger language plpgsql as $$
  begin
    if not exists (select from rule_set where status = 'live') then
      raise exception 'one rule set must be live' using errcode = 'restrict_violation';
    end if;
    return null;
  end $$;
  create constraint trigger rule_set_keeps_one_live after update on rule_set deferrable initially deferred
    for each row when (old.status = 'live') execute function rule_set_keeps_one_live();
`;

const DECISIONS = `
  alter table transaction add column action text
    check (action in ('settle', 'step_up', 'quarantine', 'step_up_then_quarantine'));
  comment on column transaction.action is 'what the rules asked for, also where funds, price or a limit rejected it; null before 0018';
  create index transaction_held_by on transaction (rule_set_version, created_at)
    where action in ('quarantine', 'step_up_then_quarantine') and virtual is null and first_status <> 422;
  create index transaction_shadowed on transaction (created_at desc) where shadows is not null;
  create index transaction_t on transaction (t, id);
`;
