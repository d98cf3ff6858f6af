import { Migration } from '@mikro-orm/migrations';

/** Personal data of people, encrypted field by field, and who was shown any of it in the clear. */
export class Profile extends Migration {
  override name = '0011-profile';

  override up(): void {
    this.addSql(`
      create table profile (
        user_id uuid primary key references app_user,
        phone text,
        address text,
        ssn text,
        account_number text,
        ein text,
        itin text,
        ssn_index bytea,
        account_number_index bytea,
        ein_index bytea,
        itin_index bytea,
        updated_at timestamptz not null default clock_timestamp()
      );
      create index profile_ssn on profile (ssn_index) where ssn_index is not null;
      create index profile_account_number on profile (account_number_index) where account_number_index is not null;
      create index profile_ein on profile (ein_index) where ein_index is not null;
      create index profile_itin on profile (itin_index) where itin_index is not null;
      comment on column profile.phone is 'field token (AES-256-GCM), never plain';
      comment on column profile.address is 'field token (AES-256-GCM), never plain';
      comment on column profile.ssn is 'field token (AES-256-GCM), never plain';
      comment on column profile.account_number is 'field token (AES-256-GCM), never plain';
      comment on column profile.ein is 'field token (AES-256-GCM), never plain';
      comment on column profile.itin is 'field token (AES-256-GCM), never plain';
      comment on column profile.ssn_index is
        'keyed blind index, for equality only; not unique: a refusal would tell that somebody else has this number';

      create table pii_reveal (
        id uuid primary key,
        actor_id uuid not null references app_user,
        subject_id uuid references app_user,
        kind text not null check (kind in ('reveal', 'search')),
        fields text[] not null,
        reason text not null check (length(reason) <= 500),
        case_reference text check (length(case_reference) <= 40),
        at timestamptz not null default clock_timestamp(),
        check ((kind = 'reveal') = (subject_id is not null))
      );
      create index pii_reveal_by_actor on pii_reveal (actor_id, at);
      comment on column pii_reveal.reason is 'as it was written; the audit log names this row and holds no free text';
    `);
  }
}
