import type { FactorMethod, LimitGroup, LimitWindow, PasskeyRequestOptions, Role } from './general.ts';

/**
 * The API's objects by name: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * `npx vitest run --project servers test/client/operations.test.ts -u` writes it anew.
 */

export interface Account {
  userId: string;
  accountId: string | null;
  email: string;
  fullName: string;
  role: "customer" | "reviewer" | "admin" | "auditor" | "importer";
  tier: "basic" | "standard" | "premium";
  disabled: boolean;
  restricted: boolean;
  lockout: { lockoutId: string; workflowId: string; lockedUntil: string; secondsLeft: number; unlockRequestedBy: string | null } | null;
  openSessions: number;
  lastLogin: { at: string; status: "pending" | "step_up_required" | "enrolment_required" | "authenticated" | "invalid_credentials" | "locked" | "denied" | "restricted" | "expired" | "abandoned" } | null;
  createdAt: string;
  restriction: { restrictionId: string; workflowId: string; since: string } | null;
  timeZone: string | null;
  emailConfirmedAt: string | null;
  passwordChangedAt: string | null;
  passwordChangeRequired: boolean;
  disabledAt: string | null;
  factors: ("totp" | "email_code" | "recovery_code" | "security_questions" | "webauthn")[];
  devices: number;
  signingKeys: number;
  heldTransactions: number;
  unresolvedIncidents: number;
}

export interface AccountDevice {
  deviceId: string;
  components: { browser: string; os: string; resolution: string; timezone: string; platform: string; plugins: string[] };
  trusted: boolean;
  trustedAt: string | null;
  firstSeenAt: string;
  lastSeenAt: string;
  openSessions: number;
}

export interface AccountLock { lockoutId: string; workflowId: string; lockedUntil: string; secondsLeft: number }

export interface AccountSession {
  sessionId: string;
  channel: "cookie" | "bearer";
  scope: "full" | "password_change";
  ip: string | null;
  userAgent: string | null;
  deviceId: string | null;
  loginId: string | null;
  workflowId: string | null;
  createdAt: string;
  lastSeenAt: string;
  factorAt: string | null;
  expiresAt: string;
}

export interface AccountSummary {
  userId: string;
  accountId: string | null;
  email: string;
  fullName: string;
  role: "customer" | "reviewer" | "admin" | "auditor" | "importer";
  tier: "basic" | "standard" | "premium";
  disabled: boolean;
  restricted: boolean;
  lockout: AccountLock | null;
  openSessions: number;
  lastLogin: { at: string; status: "pending" | "step_up_required" | "enrolment_required" | "authenticated" | "invalid_credentials" | "locked" | "denied" | "restricted" | "expired" | "abandoned" } | null;
  createdAt: string;
}

export interface Console {
  user: { userId: string; sessionId: string; email: string; fullName: string; role: "customer" | "reviewer" | "admin" | "auditor" | "importer"; may: { review: boolean; handleIncidents: boolean; audit: boolean; administer: boolean }; factorFreshUntil: string | null };
  staff: ({ userId: string; fullName: string; role: "customer" | "reviewer" | "admin" | "auditor" | "importer" })[];
  installation: { production: boolean; baseCurrency: string; auditOrigin: string; backupTimeZone: string; rateLimitPerMinute: number; stepUpFreshnessSeconds: number };
  temporal: { namespace: string; uiUrl: string | null; workflowUrl: string | null };
  thresholds: { login: { ruleSetVersion: string; factorAbove: number; additionalVerificationAbove: number; deniedAbove: number; lockout: { failures: number; windowSeconds: number; durationSeconds: number } }; transaction: { ruleSetVersion: string; factorAbove: number; highRiskAbove: number; reviewAbove: number; escalateAbove: number; stepUpAmountAbove: string; reviewWindowSeconds: number } };
  review: { windowSeconds: number; claimSeconds: number; secondApprovalAbove: string | null };
}

export interface CreatedUser {
  userId: string;
  email: string;
  fullName: string;
  role: Role;
  tier: Tier;
  disabled: boolean;
  restricted: boolean;
  locked: boolean;
  mfa: boolean;
  passwordChangeRequired: boolean;
  createdAt: string;
  disabledAt: string | null;
  oneTimePassword: string;
}

export interface Device {
  deviceId: string;
  current: boolean;
  components: { browser: string; os: string; resolution: string; timezone: string; platform: string; plugins: string[] };
  trusted: boolean;
  trustedAt: string | null;
  firstSeenAt: string;
  lastSeenAt: string;
}

/** What the client knows of its device */
export interface DeviceFacts {
  userAgent: string;
  screen: { width: number; height: number; colorDepth: number; pixelRatio?: number | undefined };
  timezone: string;
  language: string;
  platform: string;
  plugins: string[];
}

export interface DeviceList { items: Device[]; nextCursor: string | null }

export interface EndedSessions { userId: string; ended: number }

export interface EnrolledFactors {
  totp: { enrolled: boolean; confirmedAt: string | null };
  webauthn: { passkeys: number };
  recoveryCodes: { left: number };
  securityQuestions: { offered: boolean; set: number };
}

export interface ErasedAuditIdentity { userId: string; erasedAt: string }

export type FactorChallenge = { status: "step_up_required"; loginId: string; methods: FactorMethod[]; expiresAt: string } | { status: "enrolment_required"; loginId: string; totp: TotpEnrolment; expiresAt: string };

export interface IssuedSigningKey {
  keyId: string;
  status: "active" | "rotating" | "revoked";
  replaces: string | null;
  createdAt: string;
  acceptedUntil: string | null;
  revokedAt: string | null;
  secret: string;
  audience: string;
}

export interface Lockout {
  lockoutId: string;
  workflowId: string;
  userId: string | null;
  subject: string;
  startedAt: string;
  lockedUntil: string;
  secondsLeft: number;
  unlockRequestedBy: string | null;
  unlockReason: string | null;
}

export interface Me {
  userId: string;
  email: string;
  fullName: string;
  role: "customer" | "reviewer" | "admin" | "auditor" | "importer";
  sessionId: string;
  scope: "full" | "password_change";
  channel: "cookie" | "bearer";
  factorAt: string | null;
  csrfToken?: string | undefined;
}

export interface OneTimePassword { userId: string; oneTimePassword: string }

export interface Passkey { passkeyId: string; name: string; createdAt: string; lastUsedAt: string | null }

export interface PasskeyAttestation {
  id: string;
  rawId: string;
  type: "public-key";
  response: { clientDataJSON: string; attestationObject: string; authenticatorData?: string | undefined; publicKey?: string | null | undefined; publicKeyAlgorithm?: number | undefined; transports?: string[] | undefined };
  authenticatorAttachment?: "platform" | "cross-platform" | null | undefined;
  clientExtensionResults?: Record<string, unknown> | undefined;
}

export interface PasskeyChallenge { webauthn: { publicKey: PasskeyRequestOptions } }

/** For `navigator.credentials.create` */
export interface PasskeyCreationOptions { challenge: string; [member: string]: unknown }

export interface Profile {
  fullName: string;
  timeZone: string | null;
  phone: string | null;
  address: string | null;
  ssn: string | null;
  accountNumber: string | null;
  ein: string | null;
  itin: string | null;
  updatedAt: string | null;
}

export interface Restriction {
  restrictionId: string;
  workflowId: string;
  userId: string;
  origin: "indicators" | "admin";
  restrictedBy: string | null;
  reason: string;
  startedAt: string;
  liftedAt: string | null;
  indicators: { kind: string; at: string }[];
  steps: RestrictionStep[];
  nextStep: "identity_verified" | "password_reset" | "factors_enrolled" | "restored" | null;
}

export interface RestrictionStep {
  step: "identity_verified" | "password_reset" | "factors_enrolled" | "restored";
  requestedBy: string;
  requestedAt: string;
  caseReference: string | null;
  begunAt: string | null;
  doneAt: string | null;
}

export interface RevealedProfile { fields: Record<string, string | null> }

export interface Session {
  sessionId: string;
  current: boolean;
  channel: "cookie" | "bearer";
  scope: "full" | "password_change";
  ip: string | null;
  userAgent: string | null;
  deviceId: string | null;
  createdAt: string;
  lastSeenAt: string;
  factorAt: string | null;
  expiresAt: string;
}

export interface SessionList { items: Session[]; nextCursor: string | null }

export interface SignedIn {
  status: "authenticated";
  loginId: string;
  session: { token?: string | undefined; expiresAt: string };
  csrfToken?: string | undefined;
  deviceToken?: string | undefined;
  passwordChangeRequired: boolean;
}

export interface SigningKey {
  keyId: string;
  status: "active" | "rotating" | "revoked";
  replaces: string | null;
  createdAt: string;
  acceptedUntil: string | null;
  revokedAt: string | null;
}

export interface SigningKeyList { items: SigningKey[]; nextCursor: string | null }

export type Tier = "basic" | "standard" | "premium";

export interface TotpEnrolment { secret: string; otpauthUri: string }

export interface TransactionLimits {
  tier: Tier;
  currency: string;
  limits: ({ group: LimitGroup; window: LimitWindow; limit: string | null; used: string | null; left: string | null })[];
}

export interface User {
  userId: string;
  email: string;
  fullName: string;
  role: Role;
  tier: Tier;
  disabled: boolean;
  restricted: boolean;
  locked: boolean;
  mfa: boolean;
  passwordChangeRequired: boolean;
  createdAt: string;
  disabledAt: string | null;
}

export interface UserList { items: User[]; nextCursor: string | null }
