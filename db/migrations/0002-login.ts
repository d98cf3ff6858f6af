import { Migration } from '@mikro-orm/migrations';

/**
 * Reserves the right to check one password, under the lock of the subject's row and before anything is hashed. A place is
 * taken by a failure of the window, by an attempt under way, and by a success that overlapped with one of those (for
 * `p_burst`, since parallel attempts may still come): so a burst costs `p_threshold` hashes, whatever passwords it holds. The caller inserts
 * the row of `login` in the same statement.
 */
const RESERVE = `
      create function login_reserve(p_subject bytea, p_threshold integer, p_window interval, p_pending interval,
        p_burst interval, p_throttle integer, p_throttle_window interval)
        returns table (outcome text, retry_at timestamptz) language plpgsql as $$
      declare
        s login_subject%rowtype;
        t timestamptz;
        since timestamptz;
        recent integer;
        oldest timestamptz;
        taken integer;
      begin
        insert into login_subject (subject) values (p_subject) on conflict (subject) do nothing;
        select * into s from login_subject l where l.subject = p_subject for update;
        t := clock_timestamp();
        select count(*), min(started_at) into recent, oldest from (
          select started_at from login where subject = p_subject and started_at > t - p_throttle_window
          order by started_at desc limit p_throttle) as latest;
        if recent >= p_throttle then
          return query select 'throttled', oldest + p_throttle_window;
          return;
        end if;
        if s.locked_until > t then
          return query select 'locked', s.locked_until;
          return;
        end if;
        since := greatest(s.counting_since, s.locked_until, t - p_window - p_pending);
        select count(*) into taken from login a where a.subject = p_subject and a.started_at >= since and case
          when a.settled_at is null then a.status = 'pending' and a.started_at > t - p_pending
          when not a.password_ok then not a.cleared and a.settled_at > t - p_window
          else a.settled_at > t - p_burst and exists (
            select from login b
             where b.subject = p_subject and b.started_at >= since and b.started_at < a.settled_at and b.id <> a.id
               and case when b.settled_at is null then b.status = 'pending' and b.started_at > t - p_pending
                        else not b.password_ok and b.settled_at > a.started_at end)
          end;
        return query select case when taken >= p_threshold then 'saturated' else 'reserved' end, null::timestamptz;
      end $$;`;

/**
 * Counts one checked password and, with the failure that completes the threshold, locks in the same statement. Whatever
 * the password, a subject that was locked meanwhile stays locked.
 */
const SETTLE = `
      create function login_settle(p_login uuid, p_ok boolean, p_threshold integer, p_window interval,
        p_duration interval, p_lockout uuid)
        returns table (outcome text, locked_until timestamptz) language plpgsql as $$
      declare
        a login%rowtype;
        s login_subject%rowtype;
        t timestamptz;
        since timestamptz;
        failures integer;
      begin
        select * into strict a from login l where l.id = p_login;
        select * into strict s from login_subject l where l.subject = a.subject for update;
        t := clock_timestamp();
        update login set settled_at = t, password_ok = p_ok where id = p_login;
        if s.locked_until > t then
          return query select 'locked', s.locked_until;
          return;
        end if;
        since := greatest(s.counting_since, s.locked_until);
        if p_ok or a.started_at < since then
          return query select case when p_ok then 'passed' else 'failed' end, null::timestamptz;
          return;
        end if;
        select count(*) into failures from login l
         where l.subject = a.subject and l.started_at >= since and l.started_at > t - 2 * p_window
           and not l.password_ok and not l.cleared and l.settled_at > t - p_window;
        if failures < p_threshold then
          return query select 'failed', null::timestamptz;
          return;
        end if;
        -- A lock whose time is over, but whose workflow has not come to its end yet.
        update lockout set unlocked_at = lockout.locked_until, unlocked_by = 'timer'
         where subject = a.subject and unlocked_at is null;
        insert into lockout (id, subject, user_id, started_at, locked_until)
        values (p_lockout, a.subject, a.user_id, t, t + p_duration);
        update login_subject set locked_until = t + p_duration, lockout_id = p_lockout where subject = a.subject;
        return query select 'locked_now', t + p_duration;
      end $$;`;

/** Logins, the attempts that are counted, lockouts, and the baseline of places. */
export class Login extends Migration {
  override name = '0002-login';

  override up(): void {
    this.addSql(`
      create table login_subject (
        subject bytea primary key,
        locked_until timestamptz,
        lockout_id uuid,
        counting_since timestamptz not null default '-infinity'
      );
      comment on table login_subject is
        'one row per HMAC of a normalised e-mail address, whether or not an account exists: counting and locking tell nothing';
      comment on column login_subject.counting_since is 'attempts that began before the last unlock count no more';

      create table login (
        id uuid primary key,
        attempt_id uuid not null unique,
        subject bytea not null references login_subject,
        user_id uuid references app_user,
        seq bigint generated always as identity,
        status text not null check (status in ('pending', 'invalid_credentials', 'locked', 'denied', 'restricted',
          'step_up_required', 'enrolment_required', 'authenticated', 'expired', 'abandoned')),
        channel text not null check (channel in ('cookie', 'bearer')),
        score integer check (score between 0 and 100),
        rule_set_version text,
        reasons jsonb not null default '[]',
        required_kinds integer not null default 0,
        methods jsonb not null default '[]',
        proven jsonb not null default '[]',
        device jsonb not null,
        device_signature bytea not null,
        device_cookie_hashes bytea[] not null default '{}',
        device_finding text,
        ip inet,
        network text,
        user_agent text,
        place jsonb,
        request_id text,
        session_hash bytea,
        new_device_cookie_hash bytea,
        device_id uuid references device,
        enrolment_secret text,
        password_ok boolean,
        settled_at timestamptz,
        cleared boolean not null default false,
        started_at timestamptz not null default clock_timestamp(),
        verdict_deadline timestamptz not null,
        decided_at timestamptz,
        expires_at timestamptz,
        finished_at timestamptz
      );
      create index login_by_user on login (user_id, started_at desc);
      create index login_by_time on login (started_at desc);
      create index login_open on login (started_at) where finished_at is null;
      create index login_by_subject on login (subject, started_at desc);
      create index login_by_network on login (network, started_at desc) where password_ok is not null;
      comment on column login.password_ok is 'null: not checked (yet), because the subject was locked or nobody answered';
      comment on column login.settled_at is 'when the password check was counted; until then the row is a reserved attempt';
      comment on column login.cleared is 'a failure that a later success from the same network took out of the count';
      comment on column login.enrolment_secret is 'field token of the TOTP secret that staff enrol in this login';
      comment on column login.device_cookie_hashes is 'of the device cookie that was presented, under every key generation';

      create table email_code (
        id uuid primary key,
        challenge_kind text not null check (challenge_kind in ('login', 'transaction', 'step_up')),
        challenge_id uuid not null,
        user_id uuid not null references app_user,
        code_hash bytea not null,
        created_at timestamptz not null default clock_timestamp(),
        expires_at timestamptz not null,
        used_at timestamptz
      );
      create index email_code_challenge on email_code (challenge_kind, challenge_id, created_at desc);
      create index email_code_user on email_code (user_id, created_at);

      create table factor_attempt (
        id uuid primary key,
        challenge_kind text not null check (challenge_kind in ('login', 'transaction', 'step_up')),
        challenge_id uuid not null,
        user_id uuid not null references app_user,
        method text not null check (method in ('totp', 'email_code', 'recovery_code', 'security_questions', 'webauthn')),
        passed boolean not null,
        session_hash bytea,
        device_cookie_hash bytea,
        totp_step bigint,
        created_at timestamptz not null default clock_timestamp(),
        wanted_until timestamptz
      );
      comment on column factor_attempt.wanted_until is 'until then somebody waits for the outcome; later nothing is granted';
      create index factor_attempt_challenge on factor_attempt (challenge_kind, challenge_id, created_at);
      create index factor_attempt_user on factor_attempt (user_id, created_at);

      create table lockout (
        id uuid primary key,
        subject bytea not null references login_subject,
        user_id uuid references app_user,
        started_at timestamptz not null default clock_timestamp(),
        locked_until timestamptz not null,
        unlock_requested_by uuid references app_user,
        unlock_reason text,
        unlocked_at timestamptz,
        unlocked_by text check (unlocked_by in ('timer', 'admin', 'password_reset'))
      );
      create unique index lockout_active on lockout (subject) where unlocked_at is null;
      create index lockout_user on lockout (user_id, started_at desc);

      ${RESERVE}

      ${SETTLE}

      create table login_place (
        user_id uuid not null references app_user,
        cluster text not null,
        country text,
        latitude double precision not null,
        longitude double precision not null,
        accuracy_km double precision not null,
        time_zone text,
        logins integer not null default 1,
        first_seen_at timestamptz not null,
        last_seen_at timestamptz not null,
        primary key (user_id, cluster)
      );

      create table login_baseline (
        user_id uuid primary key references app_user,
        last_seq bigint not null,
        last_at timestamptz not null,
        latitude double precision,
        longitude double precision,
        accuracy_km double precision
      );
      comment on table login_baseline is 'where and when the last login that passed happened: the origin of impossible travel';
    `);
  }
}
