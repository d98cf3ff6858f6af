import { PII_FIELDS, PROFILE_PII } from './profiles.ts';

/** A column that holds field tokens, and the column whose value (a UUID) each token is bound to as its row id. */
export interface EncryptedColumn {
  table: string;
  column: string;
  rowId: string;
}

/**
 * Every column with field tokens. What is missing here keeps its old key alive and is never re-encrypted, so a test holds
 * this list against the comments of the schema.
 */
export const encryptedColumns: readonly EncryptedColumn[] = [
  { table: 'totp_factor', column: 'secret', rowId: 'user_id' },
  { table: 'login', column: 'enrolment_secret', rowId: 'id' },
  { table: 'outbox_mail', column: 'body', rowId: 'id' },
  { table: 'signing_key', column: 'secret', rowId: 'id' },
  { table: 'security_question', column: 'question', rowId: 'id' },
  { table: 'recovery_step', column: 'secret', rowId: 'id' },
  { table: 'subject_key', column: 'key', rowId: 'subject' },
  ...PII_FIELDS.map((field) => ({ table: 'profile', column: PROFILE_PII[field].column, rowId: 'user_id' })),
];
