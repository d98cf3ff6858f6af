import { Migration } from '@mikro-orm/migrations';

/** What people prove themselves with beside an authenticator app and their mailbox. */
export class Factors extends Migration {
  override name = '0013-factors';

  override up(): void {
    this.addSql(`
      create table recovery_code (
        id uuid primary key,
        user_id uuid not null references app_user,
        code_hash bytea not null unique,
        created_at timestamptz not null default clock_timestamp(),
        used_at timestamptz
      );
      create index recovery_code_left on recovery_code (user_id) where used_at is null;
      comment on column recovery_code.code_hash is 'HMAC under a key of its own; the code itself was shown once';

      create table security_question (
        id uuid primary key,
        user_id uuid not null references app_user,
        question text not null,
        answer_hash text not null,
        created_at timestamptz not null default clock_timestamp()
      );
      create index security_question_user on security_question (user_id);
      comment on column security_question.question is 'field token: people write personal things into their questions';
      comment on column security_question.answer_hash is 'argon2id of the normalised answer';

      create table question_draw (
        transaction_id uuid primary key,
        user_id uuid not null references app_user,
        question_ids uuid[] not null check (cardinality(question_ids) = 2),
        drawn_at timestamptz not null default clock_timestamp()
      );
      comment on table question_draw is 'which two questions a transaction asks: asking again gives nobody another choice';

      create table webauthn_credential (
        id uuid primary key,
        user_id uuid not null references app_user,
        credential_id bytea not null unique,
        public_key bytea not null,
        counter bigint not null,
        transports text[] not null default '{}',
        name text not null,
        created_at timestamptz not null default clock_timestamp(),
        last_used_at timestamptz
      );
      create index webauthn_credential_user on webauthn_credential (user_id);
      comment on column webauthn_credential.public_key is 'COSE_Key (RFC 9052)';

      create table webauthn_challenge (
        purpose text not null check (purpose in ('registration', 'login', 'transaction', 'step_up')),
        subject_id uuid not null,
        user_id uuid not null references app_user,
        challenge_hash bytea not null,
        expires_at timestamptz not null,
        primary key (purpose, subject_id)
      );
      create index webauthn_challenge_user on webauthn_challenge (user_id);
      comment on table webauthn_challenge is 'the newest challenge of a login, transaction or session; deleted by its use';
    `);
  }
}
