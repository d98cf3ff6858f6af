import { Migration } from '@mikro-orm/migrations';

/** One key per person for what the audit log seals about them; without it that is unreadable (docs/adr/0061-crypto-shredding.md). */
export class SubjectKey extends Migration {
  override name = '0023-subject-key';

  override up(): void {
    this.addSql(TABLE);
    this.addSql(FINAL);
    this.addSql(REVEALS);
  }
}

const TABLE = `
  create table subject_key (
    subject uuid primary key references app_user,
    key text,
    created_at timestamptz not null default clock_timestamp(),
    shredded_at timestamptz,
    reason text check (length(reason) between 1 and 500),
    check ((key is null) = (shredded_at is not null)),
    check ((reason is null) = (shredded_at is null))
  );
  comment on column subject_key.key is 'field token (AES-256-GCM) of 32 random bytes; null for ever once it is shredded';
  comment on column subject_key.reason is 'as it was written; the audit log has no free text';
`;

/** Nothing brings a key back, and no row that says who was erased goes away. */
const FINAL = `
  create function subject_key_shredded_for_ever() returns trigger language plpgsql as $$
  begin
    raise exception 'the key of % was shredded', old.subject using errcode = 'insufficient_privilege';
  end $$;
  create trigger subject_key_shredded before update on subject_key
    for each row when (old.shredded_at is not null) execute function subject_key_shredded_for_ever();
  create trigger subject_key_no_delete before delete on subject_key
    for each row execute function audit_refuse_change();
  create trigger subject_key_no_truncate before truncate on subject_key
    for each statement execute function audit_refuse_change();
`;

/** A reveal out of the audit log counts like the others. */
const REVEALS = `
  alter table pii_reveal drop constraint pii_reveal_kind_check, drop constraint pii_reveal_check;
  alter table pii_reveal
    add constraint pii_reveal_kind_check check (kind in ('reveal', 'search', 'audit')),
    add constraint pii_reveal_check check ((kind = 'search') = (subject_id is null));
`;
