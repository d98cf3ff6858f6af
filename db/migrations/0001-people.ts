import { Migration } from '@mikro-orm/migrations';

/** People, their sessions, devices and factors. Secrets are stored only as keyed hashes or field tokens. */
export class People extends Migration {
  override name = '0001-people';

  override up(): void {
    this.addSql(`
      create table app_user (
        id uuid primary key,
        email text not null check (length(email) <= 254),
        email_key text not null unique check (email_key = lower(email_key)),
        full_name text not null check (length(full_name) <= 200),
        time_zone text check (length(time_zone) <= 64),
        role text not null check (role in ('customer', 'reviewer', 'admin', 'auditor', 'importer')),
        password_hash text,
        password_one_time boolean not null default false,
        password_changed_at timestamptz,
        email_confirmed_at timestamptz,
        disabled_at timestamptz,
        restricted_at timestamptz,
        created_at timestamptz not null default clock_timestamp()
      );
      create index app_user_staff on app_user (role) where role <> 'customer';

      create table totp_factor (
        user_id uuid primary key references app_user,
        secret text not null,
        confirmed_at timestamptz,
        last_step bigint not null default 0,
        created_at timestamptz not null default clock_timestamp()
      );
      comment on column totp_factor.secret is 'field token (AES-256-GCM), never plain';
      comment on column totp_factor.last_step is 'RFC 6238 time step that was used last: a step is accepted once';

      create table device (
        id uuid primary key,
        user_id uuid not null references app_user,
        signature bytea not null,
        components jsonb not null,
        cookie_hash bytea unique,
        trusted_at timestamptz,
        first_seen_at timestamptz not null default clock_timestamp(),
        last_seen_at timestamptz not null default clock_timestamp(),
        revoked_at timestamptz
      );
      create index device_live_signature on device (user_id, signature) where revoked_at is null;

      create table session (
        id uuid primary key,
        user_id uuid not null references app_user,
        token_hash bytea not null unique,
        login_id uuid,
        device_id uuid references device,
        scope text not null check (scope in ('full', 'password_change')),
        channel text not null check (channel in ('cookie', 'bearer')),
        factor_at timestamptz,
        ip inet,
        user_agent text,
        created_at timestamptz not null default clock_timestamp(),
        last_seen_at timestamptz not null default clock_timestamp(),
        expires_at timestamptz not null,
        revoked_at timestamptz,
        revoked_reason text,
        password_tries integer not null default 0
      );
      comment on column session.password_tries is 'wrong current passwords in a row: the fifth ends the session';
      create index session_by_user on session (user_id) where revoked_at is null;
      create unique index session_login on session (login_id);
      comment on column session.factor_at is 'when this session last proved a second factor (step-up counts for 5 minutes)';

      create table password_reset (
        id uuid primary key,
        subject bytea not null,
        user_id uuid references app_user,
        token_hash bytea not null unique,
        created_at timestamptz not null default clock_timestamp(),
        expires_at timestamptz not null,
        used_at timestamptz
      );
      create index password_reset_subject on password_reset (subject, created_at);
      comment on column password_reset.user_id is 'null for an address without an account: asking costs and shows the same';

      create table email_confirmation (
        id uuid primary key,
        user_id uuid not null references app_user,
        token_hash bytea not null unique,
        password_hash text not null,
        full_name text not null check (length(full_name) <= 200),
        time_zone text check (length(time_zone) <= 64),
        device_id uuid not null references device,
        created_at timestamptz not null default clock_timestamp(),
        expires_at timestamptz not null,
        used_at timestamptz
      );
      create index email_confirmation_user on email_confirmation (user_id, created_at);
      comment on column email_confirmation.password_hash is
        'becomes the account''s with the confirmation: whoever owns the mailbox decides whose registration counts';

      create table keyring_key (
        key_id text primary key,
        purpose text not null,
        version integer not null,
        record jsonb not null,
        created_at timestamptz not null default clock_timestamp(),
        retired_at timestamptz,
        unique (purpose, version)
      );
      comment on column keyring_key.record is 'the wrapped key: useless without the key-encryption key, which is not in this database';

      create table outbox_mail (
        id uuid primary key,
        key text not null unique,
        user_id uuid references app_user,
        recipient text not null,
        template text not null,
        subject text not null,
        body text,
        created_at timestamptz not null default clock_timestamp(),
        next_attempt_at timestamptz not null default clock_timestamp(),
        attempts integer not null default 0,
        claimed_until timestamptz,
        sent_at timestamptz,
        failed_at timestamptz,
        last_error text
      );
      create index outbox_mail_due on outbox_mail (next_attempt_at) where sent_at is null and failed_at is null;
      comment on column outbox_mail.claimed_until is 'a process is sending it; after that time another may';
      comment on column outbox_mail.body is 'field token (AES-256-GCM); cleared once sent, since it may hold a code or a link';

      create table once (
        key text primary key,
        result jsonb not null,
        created_at timestamptz not null default clock_timestamp()
      );
      comment on table once is 'idempotency keys with the result of the effect that was made in the same transaction';
    `);
  }
}
