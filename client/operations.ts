import type {
  Account, AccountDevice, AccountSession, AccountSummary, ApiSecurityDashboard, AuditEntryList, AuditSeverity,
  AuditVerification, AuditVerificationResult, AuthDashboard, Backtest, BacktestList, Backup, BackupList, Checkpoint,
  CheckpointList, CheckpointPublication, ConsistencyProof, Console, CreatedUser, Decision, Device, DeviceFacts,
  DeviceList, EndedSessions, EnrolledFactors, ErasedAuditIdentity, EvidenceBundle, EvidenceBundleList, ExceededLimit,
  ExchangeRateImport, ExchangeRateList, Factor, FactorChallenge, FactorMethod, Health, IncidentDetail, IncidentList,
  IncidentSeverity, InclusionProof, InstrumentList, IssuedSigningKey, Key, KeyRotation, KeyRotationList, LabelSource,
  LabelValue, Lockout, LoginAttempt, Me, OneTimePassword, OverviewDashboard, Passkey, PasskeyAttestation,
  PasskeyChallenge, PasskeyCreationOptions, PasskeyRequestOptions, PerformanceStats, Portfolio, PriceImport, Profile,
  RestoreDrill, RestoreDrillList, Restriction, RevealedAuditEntry, RevealedProfile, ReviewAssignment, ReviewCase,
  ReviewItemList, ReviewNote, Role, RulePrecision, RuleSetDetail, RuleSetDiff, RuleSetDocument, RuleSetFault,
  RuleSetList, RuleSetProposal, RuleSetState, SecretAge, Session, SessionList, ShadowComparison, SignedIn, SigningKey,
  SigningKeyList, TaskQueueStats, Tier, TotpEnrolment, Transaction, TransactionDetail, TransactionLimits,
  TransactionList, TransactionOrder, TransactionStatus, TransactionType, TransactionsDashboard, User, UserList,
} from './schemas/index.ts';

/**
 * What each operation takes and answers: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * `npx vitest run --project servers test/client/operations.test.ts -u` writes it anew.
 */
export interface Operations {
  /** Adds a note to a case; notes are never changed or taken away */
  addReviewNote: { input: { path: { transactionId: string }; body: { text: string } }; answers: { 201: ReviewNote } };
  /** Appeals, once, against the rejection by a review: others decide anew */
  appealTransaction: { input: { path: { transactionId: string }; body: { reason: string } }; answers: { 202: Transaction } };
  /** Lets the proposed version decide; the one before is retired */
  approveRuleSet: { input: { path: { version: string }; body: { reason: string } }; answers: { 200: { version: string; status: "draft" | "shadow" | "live" | "retired"; replaced: string } } };
  /** Approves a held transaction */
  approveTransaction: { input: { path: { transactionId: string }; body: { reason: string; label?: "false_positive" | "inconclusive" | undefined } }; answers: { 200: { transactionId?: string | undefined; type?: TransactionType | undefined; amount?: string | null | undefined; currency?: string | undefined; status?: TransactionStatus | undefined; code?: string | undefined; methods?: FactorMethod[] | undefined; expiresAt?: string | undefined; reviewBy?: string | undefined; limit?: ExceededLimit | undefined; payBy?: string | undefined; createdAt?: string | undefined }; 202: { transactionId: string; approvals: number; required: number } } };
  /** Gives a held transaction to a reviewer, whoever has it */
  assignReview: { input: { path: { transactionId: string }; body: { reviewerId: string } }; answers: { 200: ReviewAssignment } };
  /** Begin to register a passkey; needs a fresh factor */
  beginPasskey: { input: {  }; answers: { 200: { publicKey: PasskeyCreationOptions } } };
  /** Stop a verification that runs */
  cancelAuditVerification: { input: { path: { id: string } }; answers: { 202: AuditVerification } };
  /** Stops a back-test that runs */
  cancelBacktest: { input: { path: { version: string; backtestId: string } }; answers: { 200: Backtest } };
  /** Stop a backup; nothing of it stays */
  cancelBackup: { input: { path: { backupId: string } }; answers: { 202: Backup } };
  /** Stop the making of a bundle; nothing of it stays */
  cancelIncidentEvidence: { input: { path: { incidentId: string; bundleId: string } }; answers: { 200: EvidenceBundle } };
  /** Stop a rotation; the new keys stay, the next rotation re-encrypts what is left */
  cancelKeyRotation: { input: { path: { rotationId: string } }; answers: { 202: KeyRotation } };
  /** Stop a restore drill; its database is dropped */
  cancelRestoreDrill: { input: { path: { drillId: string } }; answers: { 202: RestoreDrill } };
  /** Takes back a transaction that is held or waits for a factor */
  cancelTransaction: { input: { path: { transactionId: string } }; answers: { 200: TransactionDetail } };
  /** Change the own password; other sessions end */
  changePassword: { input: { body: { currentPassword: string; newPassword: string } }; answers: { 204: undefined } };
  /** Change the members that are named; null clears one. Needs a fresh factor, and is signed where it names accountNumber */
  changeProfile: { input: { body: { fullName?: string | undefined; timeZone?: string | null | undefined; phone?: string | null | undefined; address?: string | null | undefined; ssn?: string | null | undefined; accountNumber?: string | null | undefined; ein?: string | null | undefined; itin?: string | null | undefined } }; answers: { 200: Profile } };
  /** Give another role or tier, disable or enable; sessions end, but for a tier */
  changeUser: { input: { path: { id: string }; body: { role?: "customer" | "reviewer" | "admin" | "auditor" | undefined; tier?: Tier | undefined; disabled?: boolean | undefined } }; answers: { 200: User } };
  /** Everything that is wrong with a document; saves nothing */
  checkRuleSet: { input: { body: { document: Record<string, unknown> } }; answers: { 200: { valid: boolean; faults: RuleSetFault[] } } };
  /** Takes a held transaction up, or renews the caller’s claim on it */
  claimReview: { input: { path: { transactionId: string } }; answers: { 200: ReviewAssignment } };
  /** What a version in the shadow would have decided, beside what was decided */
  compareShadow: { input: { path: { version: string }; query?: { from?: string | undefined; to?: string | undefined } }; answers: { 200: ShadowComparison } };
  /** Confirm the e-mail address of a new account */
  confirmAddress: { input: { body: { token: string } }; answers: { 200: { status: "confirmed" } } };
  /** Recovery: prove the new authenticator */
  confirmRecoveryTotp: { input: { body: { token: string; code: string } }; answers: { 204: undefined } };
  /** Finish the enrolment with a code of the app */
  confirmTotp: { input: { body: { code: string } }; answers: { 200: { enrolled: true } } };
  /** Confirms a transaction that waits for a factor */
  confirmTransaction: { input: { path: { transactionId: string }; body: Factor }; answers: { 200: Transaction; 202: Transaction } };
  /** Gather what the audit log holds about an incident into a bundle that can be verified elsewhere */
  createIncidentEvidence: { input: { path: { incidentId: string }; body?: { windowHours?: number | undefined } }; answers: { 200: EvidenceBundle; 201: EvidenceBundle; 202: EvidenceBundle } };
  /** Asks for a transaction and waits for its verdict */
  createTransaction: { input: { body: TransactionOrder }; answers: { 201: Transaction; 202: Transaction } };
  /** Add somebody with a one-time password */
  createUser: { input: { body: { email: string; fullName: string; role: "customer" | "reviewer" | "admin" | "auditor" } }; answers: { 201: CreatedUser } };
  /** What would change if this version took the place of another one */
  diffRuleSets: { input: { path: { version: string }; query?: { against?: string | undefined } }; answers: { 200: RuleSetDiff } };
  /** End one session of an account */
  endAccountSession: { input: { path: { user_id: string; session_id: string }; body: { reason: string } }; answers: { 200: EndedSessions } };
  /** End all sessions of an account */
  endAccountSessions: { input: { path: { user_id: string }; body: { reason: string } }; answers: { 200: EndedSessions } };
  /** Begin to enrol an authenticator app */
  enrolTotp: { input: {  }; answers: { 200: TotpEnrolment } };
  /** Make what the audit log holds sealed about somebody unreadable for ever; account and profile stay; needs a fresh factor */
  eraseAuditIdentity: { input: { path: { id: string }; body: { reason: string } }; answers: { 200: ErasedAuditIdentity } };
  /** Have a link mailed that sets a new password */
  forgotPassword: { input: { body: { email: string } }; answers: { 202: { status: "accepted" } } };
  /** One account: state, factors, lock, restriction, what it has open */
  getAccount: { input: { path: { user_id: string } }; answers: { 200: Account } };
  /** What the API refused: rate limits, authentications, signatures, tokens; and what is watched */
  getApiSecurityDashboard: { input: { query?: { limit?: number | undefined } }; answers: { 200: ApiSecurityDashboard } };
  /** The last published checkpoint of the log; with `Accept: text/plain` the signed note alone */
  getAuditCheckpoint: { input: {  }; answers: { 200: Checkpoint } };
  /** Progress or result of a verification */
  getAuditVerification: { input: { path: { id: string } }; answers: { 200: AuditVerification } };
  /** Logins: attempts with scores, failures, locked accounts */
  getAuthDashboard: { input: { query?: { limit?: number | undefined } }; answers: { 200: AuthDashboard } };
  /** Progress or report of a back-test */
  getBacktest: { input: { path: { version: string; backtestId: string } }; answers: { 200: Backtest } };
  /** Progress or result of a backup */
  getBackup: { input: { path: { backupId: string } }; answers: { 200: Backup } };
  /** Who looks, where links go, and the thresholds in force */
  getConsole: { input: {  }; answers: { 200: Console } };
  /** The token that writes with a cookie carry as X-CSRF-Token */
  getCsrfToken: { input: {  }; answers: { 200: { csrfToken: string } } };
  /** Everything that a decision was made from, rule by rule */
  getDecision: { input: { path: { transactionId: string } }; answers: { 200: Decision } };
  /** Which part is up or down */
  getHealth: { input: {  }; answers: { 200: Health } };
  /** One incident with its timeline */
  getIncident: { input: { path: { incidentId: string } }; answers: { 200: IncidentDetail } };
  /** How the making of a bundle goes, or what it is */
  getIncidentEvidence: { input: { path: { incidentId: string; bundleId: string } }; answers: { 200: EvidenceBundle } };
  /** Progress or result of a rotation */
  getKeyRotation: { input: { path: { rotationId: string } }; answers: { 200: KeyRotation } };
  /** Your limits and what is left of them, in the base currency */
  getLimits: { input: {  }; answers: { 200: TransactionLimits } };
  /** Whether this process answers at all: restart it when it does not */
  getLiveness: { input: {  }; answers: { 200: { status: "up" } } };
  /** Whose session this is, and what it may do */
  getMe: { input: {  }; answers: { 200: Me } };
  /** Which factors are enrolled */
  getMfa: { input: {  }; answers: { 200: EnrolledFactors } };
  /** Live counts, risk over time, incidents, held value, the audit log, and what runs by the clock */
  getOverviewDashboard: { input: { query?: { window?: "24h" | "7d" | "30d" | undefined } }; answers: { 200: OverviewDashboard } };
  /** What the owner of a deposit needs to pay it at the payment provider; kept nowhere, asked each time */
  getPayment: { input: { path: { transactionId: string } }; answers: { 200: { provider: "stripe"; paymentId: string; state: "open" | "processing" | "succeeded" | "canceled"; clientSecret: string | null } } };
  /** Latencies by route, event loop, memory, database pool, unexpected errors */
  getPerformanceStats: { input: {  }; answers: { 200: PerformanceStats } };
  /** Cash and positions of your trading account */
  getPortfolio: { input: {  }; answers: { 200: Portfolio } };
  /** The caller's profile, personal data masked */
  getProfile: { input: {  }; answers: { 200: Profile } };
  /** Whether requests should be sent to this process */
  getReadiness: { input: {  }; answers: { 200: Health } };
  /** Progress or result of a restore drill */
  getRestoreDrill: { input: { path: { drillId: string } }; answers: { 200: RestoreDrill } };
  /** Why an account is frozen, and how far its recovery is */
  getRestriction: { input: { path: { user_id: string } }; answers: { 200: Restriction } };
  /** One held or decided transaction: reasons, notes, verdicts, claim, the account’s past, the timeline */
  getReview: { input: { path: { transactionId: string } }; answers: { 200: ReviewCase } };
  /** One version with its document and its life */
  getRuleSet: { input: { path: { version: string } }; answers: { 200: RuleSetDetail } };
  /** What rules may ask about a transaction */
  getRuleVocabulary: { input: {  }; answers: { 200: { features: { name: string; type: string; unit: string; description: string }[] } } };
  /** One of the own sessions */
  getSession: { input: { path: { id: string } }; answers: { 200: Session } };
  /** One signing key of the caller */
  getSigningKey: { input: { path: { keyId: string } }; answers: { 200: SigningKey } };
  /** Backlog and pollers of the task queues, workflows by status */
  getTaskQueueStats: { input: {  }; answers: { 200: TaskQueueStats } };
  /** One of your transactions as it stands now */
  getTransaction: { input: { path: { transactionId: string } }; answers: { 200: TransactionDetail } };
  /** Transactions: high risk, flagged, 24 hours, anomalies by rule */
  getTransactionsDashboard: { input: { query?: { limit?: number | undefined } }; answers: { 200: TransactionsDashboard } };
  /** One account */
  getUser: { input: { path: { id: string } }; answers: { 200: User } };
  /** Imports dated exchange rates; a recorded one never changes; needs a fresh factor */
  importExchangeRates: { input: { body: { rates: { currency: string; at: string; rate: string }[] } }; answers: { 200: ExchangeRateImport } };
  /** Imports dated prices; new instruments come into being with their first price; needs a fresh factor */
  importPrices: { input: { body: { prices: ({ instrument: string; at: string; price: string; name?: string | undefined; currency?: string | undefined })[] } }; answers: { 200: PriceImport } };
  /** Take an incident up: it is no longer escalated */
  investigateIncident: { input: { path: { incidentId: string } }; answers: { 200: IncidentDetail } };
  /** Make ten recovery codes; those from before stop working. Needs a fresh factor */
  issueRecoveryCodes: { input: {  }; answers: { 201: { codes: string[] } } };
  /** A new key for signing requests; its secret is shown in this answer and never again */
  issueSigningKey: { input: {  }; answers: { 201: IssuedSigningKey } };
  /** Says what a transaction turned out to be; the latest label counts, those before stay on record */
  labelTransaction: { input: { path: { transactionId: string }; body: { label: LabelValue; reason: string; source?: "staff" | "customer" | "chargeback" | undefined } }; answers: { 201: { transactionId: string; label: LabelValue; source: LabelSource; labelledBy: string | null; reason: string; knownAt: string } } };
  /** The devices of an account, seen last first */
  listAccountDevices: { input: { path: { user_id: string }; query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: { items: AccountDevice[]; nextCursor: string | null } } };
  /** The logins of an account, however they ended, newest first */
  listAccountLogins: { input: { path: { user_id: string }; query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: { items: LoginAttempt[]; nextCursor: string | null } } };
  /** The open sessions of an account, newest first */
  listAccountSessions: { input: { path: { user_id: string }; query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: { items: AccountSession[]; nextCursor: string | null } } };
  /** Accounts by address, role and state, newest first; personal data masked for reviewers */
  listAccounts: { input: { query?: { email?: string | undefined; role?: "customer" | "reviewer" | "admin" | "auditor" | "importer" | undefined; state?: "locked" | "restricted" | "disabled" | undefined; limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: { items: AccountSummary[]; nextCursor: string | null } } };
  /** Published checkpoints of the log, the newest first */
  listAuditCheckpoints: { input: { query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: CheckpointList } };
  /** Entries of the audit log, newest first; the call itself becomes an entry */
  listAuditLogs: { input: { query?: { action?: string | undefined; actor?: string | undefined; subject?: string | undefined; severity?: AuditSeverity | undefined; from?: string | undefined; to?: string | undefined; limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: AuditEntryList } };
  /** Back-tests of this version, newest first */
  listBacktests: { input: { path: { version: string }; query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: BacktestList } };
  /** Backup runs, newest first */
  listBackups: { input: { query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: BackupList } };
  /** The own devices, seen last first */
  listDevices: { input: { query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: DeviceList } };
  /** The exchange rate in force of every currency that has one */
  listExchangeRates: { input: {  }; answers: { 200: ExchangeRateList } };
  /** Bundles of evidence of an incident, newest first */
  listIncidentEvidence: { input: { path: { incidentId: string }; query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: EvidenceBundleList } };
  /** Incidents, newest first */
  listIncidents: { input: { query?: { status?: "open" | "investigating" | "resolved" | "unresolved" | undefined; severity?: IncidentSeverity | undefined; cause?: "lockout" | "secret_age" | "quarantine" | "factor_shortage" | "step_up_failed" | "workflow_lost" | "maintenance_late" | "alert" | "passkey_cloned" | "payment_mismatch" | "login_escalated" | "transaction_escalated" | "restriction" | "backup_failed" | "restore_drill_failed" | "rule_set_breaker" | "audit_failure" | "transaction_altered" | "field_tampered" | undefined; limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: IncidentList } };
  /** Instruments with their latest price */
  listInstruments: { input: {  }; answers: { 200: InstrumentList } };
  /** Rotations, newest first */
  listKeyRotations: { input: { query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: KeyRotationList } };
  /** Generations of every key, and the age of secrets that only outsiders can change */
  listKeys: { input: {  }; answers: { 200: { keys: Key[]; secrets: SecretAge[] } } };
  /** Who is locked out now and for how long, those first that are locked longest from now */
  listLockouts: { input: { query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: { items: Lockout[]; nextCursor: string | null } } };
  /** The passkeys of the account */
  listPasskeys: { input: {  }; answers: { 200: { passkeys: Passkey[] } } };
  /** Restore drills, newest first */
  listRestoreDrills: { input: { query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: RestoreDrillList } };
  /** Held transactions, the most urgent first, with what made them suspicious; or those that were decided */
  listReviews: { input: { query?: { status?: "held" | "decided" | undefined; sort?: "deadline" | "score" | "amount" | undefined; type?: TransactionType | undefined; minScore?: string | undefined; minAmount?: string | undefined; assignee?: "me" | "none" | string | undefined; account?: string | undefined; counterparty?: string | undefined; currency?: string | undefined; ruleId?: string | undefined; dueWithin?: string | undefined; slaAbove?: "50" | "90" | undefined; limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: ReviewItemList } };
  /** Every version: what it is doing, where it is from, what it did lately */
  listRuleSets: { input: {  }; answers: { 200: RuleSetList } };
  /** The own open sessions, newest first */
  listSessions: { input: { query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: SessionList } };
  /** The signing keys of the caller, newest first */
  listSigningKeys: { input: { query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: SigningKeyList } };
  /** Your transactions, newest first */
  listTransactions: { input: { query?: { limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: TransactionList } };
  /** Accounts, newest first */
  listUsers: { input: { query?: { role?: Role | undefined; email?: string | undefined; limit?: number | undefined; cursor?: string | undefined } }; answers: { 200: UserList } };
  /** Sign in with a password */
  login: { input: { body: { email: string; password: string; device: DeviceFacts; deviceToken?: string | undefined } }; answers: { 200: SignedIn; 202: FactorChallenge } };
  /** The challenge that a passkey signs to finish a sign-in */
  loginFactorOptions: { input: { path: { loginId: string } }; answers: { 200: PasskeyChallenge } };
  /** End this session */
  logout: { input: {  }; answers: { 204: undefined } };
  /** Have a code mailed, where the account proves itself by its mailbox */
  mailStepUpCode: { input: {  }; answers: { 202: { status: "sent"; methods: FactorMethod[] } } };
  /** Proposes that a version decides from now on; somebody else approves */
  proposeRuleSet: { input: { path: { version: string }; body: { reason: string; reportId: string } }; answers: { 201: RuleSetProposal } };
  /** An entry with the proof that it is in the log (RFC 9162 section 2.1.3) */
  proveAuditEntry: { input: { path: { seq: string }; query?: { size?: string | undefined } }; answers: { 200: InclusionProof } };
  /** The proof that the log of a later size continues that of an earlier one (RFC 9162 section 2.1.4) */
  proveAuditGrowth: { input: { query: { from: string; to: string } }; answers: { 200: ConsistencyProof } };
  /** Publish a checkpoint now, unless nothing is new */
  publishAuditCheckpoint: { input: {  }; answers: { 200: CheckpointPublication } };
  /** Open an account */
  register: { input: { body: { email: string; password: string; fullName: string; timeZone?: string | undefined; device: DeviceFacts } }; answers: { 201: { status: "registered"; deviceToken?: string | undefined } } };
  /** Finish the registration with what the authenticator answered */
  registerPasskey: { input: { body: { name: string; credential: PasskeyAttestation } }; answers: { 201: { passkeyId: string; name: string } } };
  /** Rejects a held transaction */
  rejectTransaction: { input: { path: { transactionId: string }; body: { reason: string; label?: "confirmed_fraud" | "inconclusive" | undefined } }; answers: { 200: { transactionId?: string | undefined; type?: TransactionType | undefined; amount?: string | null | undefined; currency?: string | undefined; status?: TransactionStatus | undefined; code?: string | undefined; methods?: FactorMethod[] | undefined; expiresAt?: string | undefined; reviewBy?: string | undefined; limit?: ExceededLimit | undefined; payBy?: string | undefined; createdAt?: string | undefined }; 202: { transactionId: string; approvals: number; required: number } } };
  /** Gives a claimed transaction back; administrators those of others, too */
  releaseReview: { input: { path: { transactionId: string } }; answers: { 200: ReviewAssignment } };
  /** Remove a passkey; needs a fresh factor */
  removePasskey: { input: { path: { passkeyId: string } }; answers: { 204: undefined } };
  /** Remove the security questions; needs a fresh factor */
  removeSecurityQuestions: { input: {  }; answers: { 204: undefined } };
  /** Remove the authenticator; needs a fresh factor */
  removeTotp: { input: {  }; answers: { 204: undefined } };
  /** Mail a new code */
  resendLoginCode: { input: { path: { loginId: string } }; answers: { 202: { status: "sent"; loginId: string } } };
  /** Mails another code; the one before stops working */
  resendTransactionCode: { input: { path: { transactionId: string } }; answers: { 202: { status: "sent" } } };
  /** Set a new password with the token of the letter; all sessions end */
  resetPassword: { input: { body: { token: string; newPassword: string } }; answers: { 204: undefined } };
  /** Take the authenticator away; sessions end; needs a fresh factor */
  resetUserMfa: { input: { path: { id: string } }; answers: { 200: User } };
  /** Replace the password by a one-time password; sessions end; needs a fresh factor */
  resetUserPassword: { input: { path: { id: string } }; answers: { 200: OneTimePassword } };
  /** Resolve an incident */
  resolveIncident: { input: { path: { incidentId: string }; body: { resolution: string } }; answers: { 200: IncidentDetail } };
  /** Take the next step of a recovery: identity verified, password reset, factors enrolled, restored */
  restoreAccount: { input: { path: { user_id: string }; body: { step: "identity_verified"; caseReference: string } | { step: "password_reset" } | { step: "factors_enrolled" } | { step: "restored" } }; answers: { 200: Restriction } };
  /** Freeze an account: nobody signs in, no money moves, sessions and signing keys end */
  restrictAccount: { input: { path: { user_id: string }; body: { reason: string } }; answers: { 200: Restriction } };
  /** Takes a draft or a shadow out of use */
  retireRuleSet: { input: { path: { version: string } }; answers: { 200: RuleSetState } };
  /** What an entry holds sealed about its subject, in the clear and on record; needs a fresh factor */
  revealAuditEntry: { input: { path: { id: string }; body: { reason: string } }; answers: { 200: RevealedAuditEntry } };
  /** Own personal data in the clear, on record; needs a fresh factor */
  revealProfile: { input: { body: { fields: ("phone" | "address" | "ssn" | "accountNumber" | "ein" | "itin")[]; reason: string } }; answers: { 200: RevealedProfile } };
  /** Somebody's personal data in the clear, for a named case and on record; needs a fresh factor */
  revealUserProfile: { input: { path: { id: string }; body: { fields: ("phone" | "address" | "ssn" | "accountNumber" | "ein" | "itin")[]; reason: string; caseReference: string } }; answers: { 200: RevealedProfile } };
  /** Forget a device and end its sessions */
  revokeDevice: { input: { path: { id: string } }; answers: { 204: undefined } };
  /** End all own sessions but this one */
  revokeOtherSessions: { input: {  }; answers: { 204: undefined } };
  /** End one of the own sessions */
  revokeSession: { input: { path: { id: string } }; answers: { 204: undefined } };
  /** Revokes a key at once */
  revokeSigningKey: { input: { path: { keyId: string } }; answers: { 204: undefined } };
  /** A successor of an active key; the old secret goes on working for a while */
  rotateSigningKey: { input: { path: { keyId: string } }; answers: { 201: IssuedSigningKey } };
  /** How often each rule fired and how often it was right, by rule set version */
  rulePrecision: { input: { query?: { from?: string | undefined; to?: string | undefined } }; answers: { 200: { from: string; to: string; items: RulePrecision[] } } };
  /** Saves a document as a draft; it is never changed again */
  saveRuleSet: { input: { body: { version?: string | undefined; document: RuleSetDocument } }; answers: { 201: RuleSetDetail } };
  /** Who has exactly this number, for a named case and on record; needs a fresh factor */
  searchUsersByNumber: { input: { body: { field: "ssn" | "accountNumber" | "ein" | "itin"; value: string; reason: string; caseReference: string } }; answers: { 200: { userIds: string[] } } };
  /** Set three to ten security questions; needs a fresh factor */
  setSecurityQuestions: { input: { body: { questions: { question: string; answer: string }[] } }; answers: { 200: { questions: number } } };
  /** Lets a version judge beside every decision, without effect */
  shadowRuleSet: { input: { path: { version: string } }; answers: { 200: RuleSetState } };
  /** Judges what was recorded in a period by this version */
  startBacktest: { input: { path: { version: string }; body: { from: string; to: string } }; answers: { 202: Backtest } };
  /** Make a backup now */
  startBackup: { input: {  }; answers: { 202: Backup } };
  /** Renew keys now; needs a fresh factor */
  startKeyRotation: { input: { body?: { scope?: "all" | "field" | "session" | undefined } }; answers: { 202: KeyRotation } };
  /** Recovery: the secret of a new authenticator, with the token of the letter */
  startRecoveryTotp: { input: { body: { token: string } }; answers: { 200: TotpEnrolment } };
  /** Restore this backup into a database of its own, check it, and drop it */
  startRestoreDrill: { input: { path: { backupId: string } }; answers: { 202: RestoreDrill } };
  /** Prove a factor again; good for five minutes */
  stepUp: { input: { body: Factor }; answers: { 200: { status: "fresh"; factorAt: string; freshUntil: string } } };
  /** The challenge that a passkey signs to step up */
  stepUpOptions: { input: {  }; answers: { 200: PasskeyChallenge } };
  /** Prove a factor of a sign-in */
  submitLoginFactor: { input: { path: { loginId: string }; body: Factor }; answers: { 200: SignedIn; 202: FactorChallenge } };
  /** The challenge for a passkey, and the security questions, that can confirm a transaction */
  transactionFactorOptions: { input: { path: { transactionId: string } }; answers: { 200: { webauthn?: { publicKey: PasskeyRequestOptions } | undefined; securityQuestions?: { questionId: string; question: string }[] | undefined } } };
  /** Say that a device is yours; lost again when it changes beyond belief */
  trustDevice: { input: { path: { id: string } }; answers: { 200: Device } };
  /** End a lockout before its time */
  unlockAccount: { input: { path: { user_id: string }; body: { reason: string } }; answers: { 200: { userId: string; lockoutId: string; unlockedBy: "timer" | "admin" | "password_reset" } } };
  /** Recompute the log, or a part of it, and name the first entry that is not what was written */
  verifyAuditChain: { input: { body?: { from?: number | undefined; to?: number | undefined; incremental?: boolean | undefined } }; answers: { 200: AuditVerificationResult; 202: AuditVerification } };
}
