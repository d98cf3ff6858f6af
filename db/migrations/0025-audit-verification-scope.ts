import { Migration } from '@mikro-orm/migrations';

/** A verification goes through everything, on from a checkpoint, or through a range (docs/adr/0063-incremental-verification.md). */
export class AuditVerificationScope extends Migration {
  override name = '0025-audit-verification-scope';

  override up(): void {
    this.addSql(COLUMNS);
  }
}

/** Verifications from before went through everything. Where one ended is `from_seq + checked`. */
const COLUMNS = `
  alter table audit_verification
    add column mode text not null default 'full' check (mode in ('full', 'incremental', 'range')),
    add column from_seq bigint default 0 check (from_seq >= 0),
    add column to_seq bigint check (to_seq >= from_seq);
  comment on column audit_verification.mode is 'as asked for, until it began; then what it is';
  comment on column audit_verification.from_seq is 'first entry of the run; null until that is known';
  comment on column audit_verification.to_seq is 'the entry behind the last one of the run; null until that is known';
  comment on column audit_verification.checked is 'entries that were found sound, from from_seq on';

  drop index audit_verification_valid;
  create index audit_verification_valid on audit_verification ((from_seq + checked))
    where status = 'valid' and mode <> 'range';
`;
