import { Migration } from '@mikro-orm/migrations';

/** What the console of staff reads beyond 0009: risk and logins over time, last runs by the clock, people by what they are. */
export class Console extends Migration {
  override name = '0027-console';

  override up(): void {
    this.addSql(TALLIES);
    this.addSql(tallyOf('transaction'));
    this.addSql(tallyOf('login'));
    this.addSql(TRANSACTIONS);
    this.addSql(LOGINS);
    this.addSql(BACKFILL);
    this.addSql(RUNS);
    this.addSql(INDEXES);
  }
}

/** Columns beside the counts, since a chart of a month adds thousands of windows up. Scores are hundredths. */
const SCORES = `
    add column scored bigint not null default 0,
    add column score_sum bigint not null default 0,
    add column score_max integer not null default 0,
    add column high_risk bigint not null default 0`;

const TALLIES = `
  alter table transaction_tally ${SCORES};
  create table login_tally (
    id bigint generated always as identity primary key,
    window_start timestamptz not null,
    counts jsonb not null
  );
  create index login_tally_window on login_tally (window_start);
  alter table login_tally ${SCORES};
  comment on table login_tally is 'as transaction_tally: a measure''s number is the sum over all rows of a window';
  comment on column transaction_tally.high_risk is 'of those scored, above 0.6';
`;

/** Adds to a row that nobody has locked, or makes one more (0009 says why). */
const tallyOf = (story: 'transaction' | 'login') => `
  create function ${story}_tally_add(p_window timestamptz, p_counts jsonb, p_scored bigint, p_sum bigint, p_max integer,
    p_high bigint) returns void language plpgsql as $$
  begin
    update ${story}_tally t
       set counts = case when p_counts = '{}' then t.counts else (
             select jsonb_object_agg(measure, n) from (
               select key as measure, sum(value::numeric) as n
                 from (select * from jsonb_each_text(t.counts) union all select * from jsonb_each_text(p_counts)) as each_count
                group by key) as summed) end,
           scored = t.scored + p_scored, score_sum = t.score_sum + p_sum,
           score_max = greatest(t.score_max, p_max), high_risk = t.high_risk + p_high
      where t.id = (select f.id from ${story}_tally f where f.window_start = p_window limit 1 for update skip locked);
    if not found then
      insert into ${story}_tally (window_start, counts, scored, score_sum, score_max, high_risk)
      values (p_window, p_counts, p_scored, p_sum, p_max, p_high);
    end if;
  end $$;
`;

const WINDOW = (time: string) => `date_bin('10 minutes', ${time}, 'epoch'::timestamptz)`;
const HIGH_RISK = 'score > 60';
const SCORED = `count(score) as scored, coalesce(sum(score), 0) as score_sum, coalesce(max(score), 0) as score_max,
        count(*) filter (where ${HIGH_RISK}) as high_risk`;

/** As in 0009, with the scores in the same write. */
const TRANSACTIONS = `
  create or replace function transaction_tally_decided() returns trigger language plpgsql as $$
  begin
    perform transaction_tally_add(w.window_start, w.counts, s.scored, s.score_sum, s.score_max, s.high_risk)
      from (
        select window_start, jsonb_object_agg(measure, n) as counts from (
          select ${WINDOW('a.created_at')} as window_start, m.measure, sum(m.n) as n
            from added a cross join lateral (
              select 'decided:' || a.status, 1::numeric
              union all select 'type:' || a.type, 1
              union all select 'risk:high', 1 where a.score > 60
              union all select 'risk:flagged', 1 where a.score > 70
              union all select 'risk:escalated', 1 where a.score > 80
              union all select 'rejected:' || a.code, 1 where a.status = 'rejected'
              union all select 'settled:' || a.currency, a.amount where a.status = 'settled'
              union all select 'rule:' || (r ->> 'ruleId'), 1
                from jsonb_array_elements(a.reasons) r where (r ->> 'points')::integer > 0
              union all select 'rule_error:' || (r ->> 'ruleId'), 1
                from jsonb_array_elements(a.reasons) r where r ->> 'note' = 'error'
            ) as m (measure, n)
           group by 1, 2) as measured
         group by window_start) as w
      join (select ${WINDOW('created_at')} as window_start, ${SCORED} from added group by 1) as s using (window_start);
    return null;
  end $$;
  create or replace function transaction_tally_add(p_window timestamptz, p_counts jsonb) returns void language sql as $$
    select transaction_tally_add(p_window, p_counts, 0, 0, 0, 0);
  $$;
`;

/**
 * Logins by how they ended and when, and their scores by when they began. An insert brings many rows where a bench or an
 * import writes; an update is one login's.
 */
const LOGINS = `
  create function login_tally_added() returns trigger language plpgsql as $$
  begin
    perform login_tally_add(window_start, counts, 0, 0, 0, 0) from (
      select window_start, jsonb_object_agg(measure, n) as counts from (
        select ${WINDOW('finished_at')} as window_start, 'ended:' || status as measure, count(*) as n
          from added where finished_at is not null group by 1, 2) as ended group by window_start) as w;
    perform login_tally_add(window_start, '{}', scored, score_sum, score_max, high_risk) from (
      select ${WINDOW('started_at')} as window_start, ${SCORED} from added where score is not null group by 1) as s;
    return null;
  end $$;
  create trigger login_tally_added after insert on login
    referencing new table as added for each statement execute function login_tally_added();

  create function login_tally_ended() returns trigger language plpgsql as $$
  begin
    perform login_tally_add(${WINDOW('new.finished_at')}, jsonb_build_object('ended:' || new.status, 1), 0, 0, 0, 0);
    return null;
  end $$;
  create trigger login_tally_ended after update on login for each row
    when (old.finished_at is null and new.finished_at is not null) execute function login_tally_ended();

  create function login_tally_moved() returns trigger language plpgsql as $$
  begin
    perform login_tally_add(${WINDOW('old.finished_at')}, jsonb_build_object('ended:' || old.status, -1), 0, 0, 0, 0);
    if new.finished_at is not null then
      perform login_tally_add(${WINDOW('new.finished_at')}, jsonb_build_object('ended:' || new.status, 1), 0, 0, 0, 0);
    end if;
    return null;
  end $$;
  create trigger login_tally_moved after update on login for each row
    when (old.finished_at is not null and old.status <> new.status) execute function login_tally_moved();

  create function login_tally_scored() returns trigger language plpgsql as $$
  begin
    perform login_tally_add(${WINDOW('new.started_at')}, '{}', 1, new.score, new.score, (new.${HIGH_RISK})::integer);
    return null;
  end $$;
  create trigger login_tally_scored after update on login for each row
    when (old.score is null and new.score is not null) execute function login_tally_scored();
`;

/** What a chart may ask for of the time before. */
const BACKFILL = `
  select login_tally_add(window_start, counts, 0, 0, 0, 0) from (
    select window_start, jsonb_object_agg(measure, n) as counts from (
      select ${WINDOW('finished_at')} as window_start, 'ended:' || status as measure, count(*) as n
        from login where finished_at > clock_timestamp() - interval '32 days' group by 1, 2) as ended
     group by window_start) as w;
  select login_tally_add(window_start, '{}', scored, score_sum, score_max, high_risk) from (
    select ${WINDOW('started_at')} as window_start, ${SCORED} from login
     where score is not null and started_at > clock_timestamp() - interval '32 days' group by 1) as s;
  select transaction_tally_add(window_start, '{}', scored, score_sum, score_max, high_risk) from (
    select ${WINDOW('created_at')} as window_start, ${SCORED} from transaction
     where created_at > clock_timestamp() - interval '32 days' group by 1) as s;
`;

const RUNS = `
  create table schedule_run (
    schedule text primary key check (length(schedule) <= 40),
    workflow_id text not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    outcome text not null check (outcome in ('succeeded', 'failed')),
    reason text check (length(reason) <= 200),
    succeeded_at timestamptz,
    check ((outcome = 'failed') = (reason is not null))
  );
  comment on table schedule_run is 'the last run of each schedule that leaves no row of its own';
`;

const INDEXES = `
  create index app_user_by_time on app_user (created_at desc, id desc);
  create index app_user_by_address on app_user (email_key text_pattern_ops);
  create index app_user_restricted on app_user (created_at desc, id desc) where restricted_at is not null;
  create index app_user_disabled on app_user (created_at desc, id desc) where disabled_at is not null;
  create index session_open on session (expires_at) where revoked_at is null;
  create index device_by_user on device (user_id, last_seen_at desc, id desc) where revoked_at is null;
  create index incident_of_user on incident (user_id) where status <> 'resolved';
  create index audit_verification_time on audit_verification (requested_at desc);
  create index audit_verification_end on audit_verification (finished_at);
  create index backtest_report_end on backtest_report (made_at);
  create index evidence_request_end on evidence_request (finished_at);
`;
