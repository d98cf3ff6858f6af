import { oneRow, run, type Tx } from './sql.ts';

/** What the application's role may do, table by table. A table that is not listed here is out of its reach. */
export const applicationGrants: Readonly<Record<string, string>> = {
  app_user: 'select, insert, update',
  totp_factor: 'select, insert, update, delete',
  device: 'select, insert, update',
  session: 'select, insert, update',
  password_reset: 'select, insert, update',
  email_confirmation: 'select, insert, update',
  keyring_key: 'select, insert, update, delete',
  key_rotation: 'select, insert, update',
  outside_secret: 'select, insert, update',
  profile: 'select, insert, update',
  pii_reveal: 'select, insert',
  // A key is wrapped anew or destroyed, never given to another.
  subject_key: 'select, insert, update (key, shredded_at, reason)',
  outbox_mail: 'select, insert, update',
  once: 'select, insert, update',
  login_subject: 'select, insert, update',
  login: 'select, insert, update',
  email_code: 'select, insert, update',
  factor_attempt: 'select, insert, update',
  lockout: 'select, insert, update',
  recovery_code: 'select, insert, update, delete',
  security_question: 'select, insert, update, delete',
  question_draw: 'select, insert, update',
  webauthn_credential: 'select, insert, update, delete',
  webauthn_challenge: 'select, insert, update, delete',
  login_place: 'select, insert, update, delete',
  login_baseline: 'select, insert, update',
  account: 'select, insert',
  account_state: 'select, insert, update',
  account_balance: 'select, insert, update',
  instrument: 'select, insert, update',
  instrument_price: 'select, insert',
  exchange_rate: 'select, insert',
  transaction: 'select, insert, update',
  reservation: 'select, insert, update',
  payment: 'select, insert, update',
  payment_event: 'select, insert',
  posting: 'select, insert',
  ledger_balance: 'select',
  review_verdict: 'select, insert',
  rule_set: 'select, insert, update',
  rule_set_proposal: 'select, insert, update',
  rule_set_event: 'select, insert',
  backtest_report: 'select, insert, update',
  counterparty_state: 'select, insert, update',
  fraud_run: 'select, insert',
  risk_population: 'select, insert',
  fraud_mark: 'select, insert, update',
  review_claim: 'select, insert, update, delete',
  review_note: 'select, insert',
  transaction_label: 'select, insert',
  transaction_appeal: 'select, insert',
  incident: 'select, insert, update',
  incident_event: 'select, insert',
  lost_workflow: 'select, insert, update',
  restriction: 'select, insert, update',
  compromise_indicator: 'select, insert, update',
  recovery_step: 'select, insert, update',
  signing_key: 'select, insert, update',
  // Its partitions are the database's own business: reached through the table, made and dropped by its functions.
  request_nonce: 'select, insert',
  backup_run: 'select, insert, update',
  restore_drill: 'select, insert, update',
  // Its other columns are the database's own: an entry that named its transaction itself could hide from the sealer.
  // Its months are reached through the table, and made by its function.
  audit_entry: 'select, insert (id, entry, entry_hmac, at, action, actor, subject, outcome, severity)',
  audit_seal: 'select, insert',
  audit_tree_node: 'select, insert',
  audit_era: 'select',
  audit_checkpoint: 'select, insert',
  // Months are taken out and brought back by the owner alone.
  audit_archive: 'select',
  audit_archive_part: 'select',
  evidence_request: 'select, insert, update (status, reason, finished_at)',
  evidence_bundle: 'select, insert',
  rate_limit: 'select, insert, update, delete',
  front_door_event: 'select, insert, update',
  transaction_tally: 'select, insert, update',
  login_tally: 'select, insert, update',
  schedule_run: 'select, insert, update',
  error_report: 'select, insert, update',
  http_minute: 'select, insert, update, delete',
  feature_report: 'select, insert, update, delete',
  audit_log_origin: 'select',
  audit_verification: 'select, insert, update',
  // `tradeguard doctor` says which migrations are missing.
  schema_migration: 'select',
};

/**
 * Grants the application's role exactly {@link applicationGrants} (what an earlier version granted and this one does not
 * is taken back). Does nothing where the role owns the schema itself: the append-only triggers hold there all the same.
 *
 * @throws when the role does not exist, since migrations must not invent a login
 */
export async function grantApplicationRole(tx: Tx, appRole: string): Promise<void> {
  const { current } = await oneRow<{ current: string }>(tx, 'select current_user as current');
  if (current === appRole) return;
  const role = `"${appRole.replaceAll('"', '""')}"`;
  await run(tx, `revoke all on all tables in schema public from ${role}`);
  await run(tx, 'revoke all on schema public from public');
  await run(tx, `grant usage on schema public to ${role}`);
  await run(tx, `grant usage on all sequences in schema public to ${role}`);
  for (const [table, privileges] of Object.entries(applicationGrants)) {
    await run(tx, `grant ${privileges} on table ${table} to ${role}`);
  }
}
