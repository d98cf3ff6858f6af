import { Migration } from '@mikro-orm/migrations';

/** Logins, the attempts that are counted, lockouts, and the baseline of places. */
export class Login extends Migration {
  override name = '0002-login';

  override up(): void {
    this.addSql(`
      create table login_subject (
        subject bytea primary key,
        attempts jsonb not null default '[]',
        recent jsonb not null default '[]',
        locked_until timestamptz,
        lockout_id uuid,
        last_login_seq bigint not null default 0,
        updated_at timestamptz not null default clock_timestamp()
      );
      comment on table login_subject is
        'one row per HMAC of a normalised e-mail address, whether or not an account exists: counting and locking tell nothing';
      comment on column login_subject.attempts is '[{id, at, network, state: pending|failed}]: what counts towards the lockout';
      comment on column login_subject.recent is '[{id, at, network, failed}]: the last hour, for the failed-login rate';

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
        passed_kinds jsonb not null default '[]',
        device jsonb not null,
        device_signature bytea not null,
        device_cookie_hash bytea,
        device_finding text,
        ip inet,
        network text,
        user_agent text,
        place jsonb,
        request_id text,
        session_hash bytea,
        new_device_cookie_hash bytea,
        started_at timestamptz not null default clock_timestamp(),
        verdict_deadline timestamptz not null,
        decided_at timestamptz,
        expires_at timestamptz,
        finished_at timestamptz
      );
      create index login_by_user on login (user_id, started_at desc);
      create index login_by_time on login (started_at desc);
      create index login_open on login (started_at) where finished_at is null;
      create index login_by_network on login (network, started_at) where network is not null;

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
        created_at timestamptz not null default clock_timestamp(),
        applied_at timestamptz
      );
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
