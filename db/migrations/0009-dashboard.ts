import { Migration } from '@mikro-orm/migrations';

/** What the staff's dashboard, live events, error tracking and alerts read: it must cost the same however long the history. */
export class Dashboard extends Migration {
  override name = '0009-dashboard';

  override up(): void {
    this.addSql(INDEXES);
    this.addSql(TALLY);
    this.addSql(TALLY_OF_TRANSACTIONS);
    this.addSql(OPERATIONS);
  }
}

/** Partial, so that each holds only the few rows it is asked for. */
const INDEXES = `
  create index transaction_high_risk on transaction (created_at desc, id desc) where score > 60;
  create index transaction_flagged on transaction (created_at desc, id desc) where score > 70;
  create index transaction_held_at on transaction (held_at) where held_at is not null;
  create index transaction_review_ended on transaction (finished_at) where held_at is not null;
  create index incident_event_time on incident_event (at);
  create index login_failed on login (started_at desc) include (subject, user_id, network, password_ok)
    where password_ok = false or status = 'locked';
  create index lockout_running on lockout (locked_until desc) where unlocked_at is null;
  create index factor_attempt_failed on factor_attempt (created_at desc) include (challenge_kind, method) where not passed;
  create index front_door_event_kind on front_door_event (kind, last_at desc);
`;

/**
 * Counts of what happened to transactions, by ten minutes. A writer adds to a row that nobody has locked, or makes one
 * more: it never waits for another and so can neither slow a decision down nor be part of a deadlock. There are as many
 * rows in ten minutes as there were writers at once.
 */
const TALLY = `
  create table transaction_tally (
    id bigint generated always as identity primary key,
    window_start timestamptz not null,
    counts jsonb not null
  );
  create index transaction_tally_window on transaction_tally (window_start);
  comment on table transaction_tally is 'a measure''s number is the sum over all rows of a window';

  create function transaction_tally_add(p_window timestamptz, p_counts jsonb) returns void language plpgsql as $$
  begin
    update transaction_tally t set counts = (
        select jsonb_object_agg(measure, n) from (
          select key as measure, sum(value::numeric) as n
            from (select * from jsonb_each_text(t.counts) union all select * from jsonb_each_text(p_counts)) as each_count
           group by key) as summed)
      where t.id = (select f.id from transaction_tally f where f.window_start = p_window limit 1 for update skip locked);
    if not found then
      insert into transaction_tally (window_start, counts) values (p_window, p_counts);
    end if;
  end $$;
`;

const WINDOW = (time: string) => `date_bin('10 minutes', ${time}, 'epoch'::timestamptz)`;

/** What one stored decision counts for. */
const DECIDED = `
  select ${WINDOW('a.created_at')} as window_start, m.measure, sum(m.n) as n
    from added a cross join lateral (
      select 'decided:' || a.status, 1::numeric
      union all select 'type:' || a.type, 1
      union all select 'risk:high', 1 where a.score > 60
      union all select 'risk:flagged', 1 where a.score > 70
      union all select 'risk:escalated', 1 where a.score > 80
      union all select 'rejected:' || a.code, 1 where a.status = 'rejected'
      union all select 'settled:' || a.currency, a.amount where a.status = 'settled'
      union all select 'rule:' || (r ->> 'ruleId'), 1 from jsonb_array_elements(a.reasons) r where (r ->> 'points')::integer > 0
      union all select 'rule_error:' || (r ->> 'ruleId'), 1 from jsonb_array_elements(a.reasons) r where r ->> 'note' = 'error'
    ) as m (measure, n)
   group by 1, 2`;

const ENDED = `
  select ${WINDOW('coalesce(n.finished_at, clock_timestamp())')} as window_start, m.measure, sum(m.n) as n
    from new_rows n join old_rows o on o.id = n.id and o.status <> n.status cross join lateral (
      select 'ended:' || n.status, 1::numeric where n.finished_at is not null
      union all select 'held:after_step_up', 1 where n.status = 'quarantined'
      union all select 'rejected:' || n.code, 1 where n.status = 'rejected'
      union all select 'settled:' || n.currency, n.amount where n.status = 'settled'
    ) as m (measure, n)
   group by 1, 2`;

const counting = (name: string, measures: string) => `
  create function ${name}() returns trigger language plpgsql as $$
  begin
    perform transaction_tally_add(w.window_start, w.counts) from (
      select window_start, jsonb_object_agg(measure, n) as counts from (${measures}) as measured group by window_start
    ) as w;
    return null;
  end $$;`;

const TALLY_OF_TRANSACTIONS = `
  ${counting('transaction_tally_decided', DECIDED)}
  ${counting('transaction_tally_ended', ENDED)}
  create trigger transaction_tally_decided after insert on transaction
    referencing new table as added for each statement execute function transaction_tally_decided();
  create trigger transaction_tally_ended after update on transaction
    referencing old table as old_rows new table as new_rows for each statement execute function transaction_tally_ended();
  select transaction_tally_add(w.window_start, w.counts) from (
    select window_start, jsonb_object_agg(measure, n) as counts from (
      ${DECIDED.replace('from added a', 'from transaction a')}) as measured group by window_start) as w;
`;

/** Written by every process a few times a minute, whatever happens: an attack or an outage costs a bounded number of rows. */
const OPERATIONS = `
  create table error_report (
    fingerprint text not null,
    process text not null check (process in ('api', 'worker')),
    type text not null check (length(type) <= 200),
    message text not null check (length(message) <= 500),
    place text not null check (length(place) <= 200),
    occurrences bigint not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    last_request_id text,
    primary key (fingerprint, process)
  );
  create index error_report_time on error_report (last_at desc);
  comment on column error_report.place is 'method and pattern of the route, or the name of the activity';

  create table http_minute (
    process_id uuid not null,
    minute timestamptz not null,
    requests integer not null,
    server_errors integer not null,
    primary key (minute, process_id)
  );

  create table feature_report (
    worker text not null check (length(worker) <= 200),
    name text not null check (length(name) <= 40),
    state text not null check (state in ('on', 'off', 'unavailable')),
    why text check (length(why) <= 200),
    seen_at timestamptz not null default clock_timestamp(),
    primary key (worker, name)
  );
  comment on table feature_report is 'what each worker process can do, told anew every minute, for health';
`;
