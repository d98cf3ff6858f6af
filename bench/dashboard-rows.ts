import type pg from 'pg';

const CHUNK = 50_000;
const ACCOUNTS = 10_000;

/** Fills an empty, migrated database with what a day of an installation leaves, evenly over the last 24 hours. */
export async function fillDashboard(client: pg.Client, rows: { transactions: number; logins: number }): Promise<void> {
  await client.query(PEOPLE, [ACCOUNTS]);
  for (let from = 0; from < rows.transactions; from += CHUNK) {
    const to = Math.min(from + CHUNK, rows.transactions) - 1;
    await client.query(TRANSACTIONS, [from, to, rows.transactions, ACCOUNTS]);
  }
  for (let from = 0; from < rows.logins; from += CHUNK) {
    await client.query(LOGINS, [from, Math.min(from + CHUNK, rows.logins) - 1, rows.logins, ACCOUNTS]);
  }
  await client.query(SESSIONS, [Math.ceil(rows.logins / 2), ACCOUNTS]);
  await client.query(DEVICES, [ACCOUNTS]);
  await client.query(LOCKOUTS);
  await client.query(OLD_LOCKOUTS);
  await client.query(REFUSALS);
  await client.query(FACTORS);
  for (const statement of [...REVIEWS, ...STATES]) await client.query(statement);
  await client.query('vacuum analyze');
}

const idOf = (n: string) => `('00000000-0000-7000-8000-' || lpad((${n})::text, 12, '0'))::uuid`;
const timeOf = (n: string, all: string) => `clock_timestamp() - interval '24 hours' * (${all} - ${n}) / ${all}`;

const PEOPLE = `
  with person as (
    insert into app_user (id, email, email_key, full_name, role)
    select ${idOf('n')}, n || '@example.test', n || '@example.test', 'Person', 'customer' from generate_series(0, $1::int - 1) n
    returning id)
  insert into account (id, user_id, kind, name) select id, id, 'customer', 'Account' from person`;

/** One in 25 above 0.6, one in 50 above 0.7; of those one in 40 is still held. */
const TRANSACTIONS = `
  insert into transaction (id, user_id, account_id, type, amount, currency, category, body_hash, status, code, score,
    rule_set_version, reasons, features, first_status, first_body, t, created_at, held_at, review_by, finished_at, settings)
  select gen_random_uuid(), ${idOf('n % $4')}, ${idOf('n % $4')},
    (array['buy', 'sell', 'deposit', 'withdrawal', 'transfer'])[1 + n % 5], 1000 + n, 'USD', 'other', '\\x00',
    d.status, case d.status when 'rejected' then 'review_rejected' end, d.score, 'v1',
    jsonb_build_array(
      jsonb_build_object('ruleId', 'amount_above_average', 'title', 'Amount above 2 times the 90-day average of its type',
        'value', n::text, 'baseline', '1000', 'threshold', '2000', 'points', case when d.score >= 30 then 30 else 0 end),
      jsonb_build_object('ruleId', 'velocity', 'title', 'More than 5 transactions within 3600 seconds', 'value', 7,
        'baseline', null, 'threshold', 5, 'points', case when d.score >= 70 then 40 else 0 end),
      jsonb_build_object('ruleId', 'unusual_category', 'title', 'Category of fewer than 2 % of the prior transactions',
        'value', 0, 'baseline', 50, 'threshold', 2, 'points', case when d.score >= 90 then 20 else 0 end)),
    '{"amountMinor": "100", "velocity": 3, "settledCount": 12, "settledSumMinor": "123456"}', 201, '{}',
    d.at, d.at, case when d.score > 70 then d.at end, case when d.score > 70 then d.at + interval '24 hours' end,
    case when d.status <> 'quarantined' then d.at end, '{}'
   from (select n, ${timeOf('n', '$3::int')} as at,
           case when n % 50 = 0 then 90 when n % 25 = 0 then 70 when n % 5 = 0 then 30 else 0 end as score,
           case when n % 2000 = 0 then 'quarantined' when n % 100 = 0 then 'rejected' else 'settled' end as status
           from generate_series($1::int, $2::int) n) d`;

/** One in five with a wrong password, as under an attack. */
const LOGINS = `
  with subjects as (
    insert into login_subject (subject)
    select distinct sha256(convert_to((n % ($4::int * 2))::text, 'UTF8')) from generate_series($1::int, $2::int) n
    on conflict do nothing)
  insert into login (id, attempt_id, subject, user_id, status, channel, score, reasons, device, device_signature, ip,
    network, user_agent, place, password_ok, settled_at, started_at, verdict_deadline, finished_at)
  select gen_random_uuid(), gen_random_uuid(), sha256(convert_to((n % ($4::int * 2))::text, 'UTF8')),
    case when n % ($4::int * 2) < $4::int then ${idOf('n % ($4::int * 2)')} end,
    case when n % 5 = 0 then 'invalid_credentials' else 'authenticated' end, 'bearer', n % 60,
    '[{"ruleId": "unusual_hour", "title": "Between 02:00 and 05:00 local time", "value": 3, "baseline": null, "threshold": null, "points": 20}]',
    '{}', '\\x00', '192.0.2.1', (n % 200) || '.0.2.0/24', 'Mozilla/5.0',
    jsonb_build_object('place', jsonb_build_object('latitude', n % 60, 'longitude', n % 120, 'country', 'DE', 'accuracyKm', 20, 'flags', '[]'::jsonb)), n % 5 <> 0, d.at, d.at, d.at, d.at
   from (select n, ${timeOf('n', '$3::int')} as at from generate_series($1::int, $2::int) n) d`;

/** Of every second login a session of twelve hours; one in ten was ended. */
const SESSIONS = `
  insert into session (id, user_id, token_hash, scope, channel, created_at, last_seen_at, expires_at, revoked_at, revoked_reason)
  select gen_random_uuid(), ${idOf('n % $2::int')}, sha256(convert_to('session' || n, 'UTF8')), 'full', 'bearer', d.at, d.at,
    d.at + interval '12 hours', case when n % 10 = 0 then d.at end, case when n % 10 = 0 then 'logout' end
   from (select n, ${timeOf('n', '$1::int')} as at from generate_series(0, $1::int - 1) n) d`;

/** Two of everybody, one of them not seen for a month. */
const DEVICES = `
  insert into device (id, user_id, signature, components, last_seen_at)
  select gen_random_uuid(), ${idOf('n % $1::int')}, '\\x00', '{"browser": "firefox", "plugins": []}',
    clock_timestamp() - case when n < $1::int then interval '1 day' else interval '30 days' end
   from generate_series(0, $1::int * 2 - 1) n`;

/** Some people of each state, and what the log's verifications of a year leave. */
const STATES = [
  `with frozen as (update app_user set restricted_at = clock_timestamp() where email like '7%9@%' returning id)
   insert into restriction (id, user_id, origin, reason) select gen_random_uuid(), id, 'indicators', 'bench' from frozen`,
  `update app_user set disabled_at = clock_timestamp() where email like '8%9@%'`,
  `update app_user set role = 'reviewer' where email like '55%5@%'`,
  `insert into audit_verification (id, status, requested_at, finished_at, checked)
   select gen_random_uuid(), 'valid', at, at, 1000000
     from generate_series(clock_timestamp() - interval '1 year', clock_timestamp(), '1 hour') at`,
];

/** What reviews leave: a label of every second transaction, and of each that was held a verdict and its incident. */
const REVIEWS = [
  `insert into transaction_label (transaction_id, label, source, reason)
   select id, case when score > 70 then 'confirmed_fraud' else 'false_positive' end, 'import', 'bench'
     from transaction where amount % 2 = 0`,
  `insert into review_verdict (id, transaction_id, reviewer_id, verdict, reason, source)
   select gen_random_uuid(), id, user_id, 'approve', 'bench', 'api' from transaction where score > 20`,
  `with opened as (
     insert into incident (id, cause, subject_kind, subject_id, user_id, severity, status, title, resolved_at)
     select gen_random_uuid(), 'quarantine', 'transaction', id, user_id, 'medium', 'resolved', 'Held', finished_at
       from transaction where score > 20 returning id)
   insert into incident_event (incident_id, key, kind, actor)
   select id, 'incident:' || id || ':opened', 'opened', 'system' from opened`,
];

/** Running ones of 2,000 addresses, one in twenty with an account, and what last year's left. */
const LOCKOUTS = `
  with subjects as (
    select subject, row_number() over (order by subject) as n from login_subject limit 2000)
  insert into lockout (id, subject, user_id, started_at, locked_until)
  select gen_random_uuid(), subject, case when n % 20 = 0 then ${idOf('n')} end, clock_timestamp(),
    clock_timestamp() + interval '15 minutes' from subjects`;
const OLD_LOCKOUTS = `
  insert into lockout (id, subject, started_at, locked_until, unlocked_at, unlocked_by)
  select gen_random_uuid(), subject, at, at + interval '15 minutes', at + interval '15 minutes', 'timer'
    from login_subject, generate_series(clock_timestamp() - interval '1 year', clock_timestamp() - interval '1 day', '60 days') at`;

/** Every minute of the day, of 50 callers and each kind. */
const REFUSALS = `
  insert into front_door_event (kind, bucket, window_start, route, network, cause, refusals, first_at, last_at)
  select k, 'b' || caller, minute, 'GET /api/route/' || caller % 30, caller || '.0.2.0/24',
    case when caller % 2 = 0 then 'malformed' else 'unknown_or_expired' end, 7, minute, minute
   from unnest(array['rate_limited', 'session_invalid', 'signature_invalid']) k, generate_series(1, 50) caller,
        generate_series(date_trunc('minute', clock_timestamp()) - interval '24 hours', clock_timestamp(), '1 minute') minute`;

const FACTORS = `
  insert into factor_attempt (id, challenge_kind, challenge_id, user_id, method, passed, created_at)
  select gen_random_uuid(), 'login', gen_random_uuid(), ${idOf('n % 1000')}, 'totp', n % 3 = 0, ${timeOf('n', '50000')}
   from generate_series(1, 50000) n`;
