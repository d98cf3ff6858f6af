import { Migration } from '@mikro-orm/migrations';

/** Compromise indicators, the restrictions that they lead to, and the way back. */
export class Restriction extends Migration {
  override name = '0010-restriction';

  override up(): void {
    this.addSql(`
      create table restriction (
        id uuid primary key,
        user_id uuid not null references app_user,
        origin text not null check (origin in ('indicators', 'admin')),
        restricted_by uuid references app_user,
        reason text not null check (length(reason) <= 1000),
        started_at timestamptz not null default clock_timestamp(),
        lifted_at timestamptz,
        lifted_by uuid references app_user,
        check ((origin = 'admin') = (restricted_by is not null)),
        check ((lifted_at is null) = (lifted_by is null))
      );
      create unique index restriction_active on restriction (user_id) where lifted_at is null;
      create index restriction_by_user on restriction (user_id, started_at desc);

      create table compromise_indicator (
        id uuid primary key,
        user_id uuid not null references app_user,
        kind text not null,
        key text not null unique,
        details jsonb not null default '{}',
        at timestamptz not null default clock_timestamp(),
        restriction_id uuid references restriction
      );
      create index compromise_indicator_by_user on compromise_indicator (user_id, at desc);
      comment on column compromise_indicator.key is 'business key of the evidence: the same event is one indicator';
      comment on column compromise_indicator.restriction_id is
        'the restriction that it led to or was found under; after a recovery it counts no more';

      create table recovery_step (
        id uuid primary key,
        restriction_id uuid not null references restriction,
        step text not null check (step in ('identity_verified', 'password_reset', 'factors_enrolled', 'restored')),
        requested_by uuid not null references app_user,
        case_reference text check (length(case_reference) <= 100),
        request_id text,
        requested_at timestamptz not null default clock_timestamp(),
        begun_at timestamptz,
        done_at timestamptz,
        password_reset_id uuid references password_reset,
        token_hash bytea unique,
        expires_at timestamptz,
        secret text,
        tries integer not null default 0,
        check ((step = 'identity_verified') = (case_reference is not null))
      );
      create unique index recovery_step_done on recovery_step (restriction_id, step) where done_at is not null;
      create unique index recovery_step_waiting on recovery_step (restriction_id) where begun_at is null;
      create index recovery_step_reset on recovery_step (password_reset_id) where password_reset_id is not null;
      comment on column recovery_step.begun_at is 'when the workflow carried the request out; done where the person has acted too';
      comment on column recovery_step.secret is 'field token of the authenticator secret that the person is shown';
    `);
  }
}
