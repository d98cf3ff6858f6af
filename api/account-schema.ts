import { z } from 'zod';
import { ACCOUNT_STATES, type AccountDetailRow, type AccountRow } from '../db/account-directory.ts';
import { iso, isoOrNull } from '../db/sql.ts';
import { TIERS } from '../domain/limits.ts';
import { FACTOR_METHODS, LOGIN_STATUSES, type LoginStatus } from '../domain/login.ts';
import { ROLES, type Role } from '../domain/roles.ts';
import { maskEmail, maskName } from '../security/masks.ts';
import { workflowIds } from '../workflows/contract.ts';
import { pageQuery } from './cursor.ts';
import { nameSchemas } from './named-schemas.ts';

const time = z.iso.datetime();
const count = z.number().int();

export const accountPath = z.object({ user_id: z.uuid() });

export const accountQuery = z.strictObject({
  email: z
    .string()
    .trim()
    .min(1)
    .max(254)
    .regex(/^[\x21-\x7e]+$/, 'must be an e-mail address or how one begins')
    .optional()
    .describe('How the address begins; for reviewers, who read addresses masked, the whole address'),
  role: z.enum(ROLES).optional().describe('Exactly this role'),
  state: z.enum(ACCOUNT_STATES).optional().describe('In this state now'),
  ...pageQuery,
});

const lockout = z.object({
  lockoutId: z.uuid(),
  workflowId: z.string(),
  lockedUntil: time,
  secondsLeft: count,
});

export const accountSummary = z.object({
  userId: z.uuid(),
  accountId: z.uuid().nullable().describe('The trading account, where there is one'),
  email: z.string().describe('Masked for reviewers'),
  fullName: z.string().describe('Masked for reviewers'),
  role: z.enum(ROLES),
  tier: z.enum(TIERS),
  disabled: z.boolean(),
  restricted: z.boolean(),
  lockout: lockout.nullable().describe('The lock that holds now'),
  openSessions: count,
  lastLogin: z
    .object({ at: time, status: z.enum(LOGIN_STATUSES) })
    .nullable()
    .describe('However it ended'),
  createdAt: time,
});

export const accountDetail = accountSummary.extend({
  lockout: lockout.extend({ unlockRequestedBy: z.uuid().nullable() }).nullable(),
  restriction: z
    .object({ restrictionId: z.uuid(), workflowId: z.string(), since: time })
    .nullable()
    .describe('Why and how far its recovery is: GET .../restriction'),
  timeZone: z.string().nullable(),
  emailConfirmedAt: time.nullable(),
  passwordChangedAt: time.nullable(),
  passwordChangeRequired: z.boolean(),
  disabledAt: time.nullable(),
  factors: z.array(z.enum(FACTOR_METHODS)).describe('What was enrolled'),
  devices: count,
  signingKeys: count.describe('That were not revoked'),
  heldTransactions: count,
  unresolvedIncidents: count,
});

nameSchemas({ AccountLock: lockout, AccountSummary: accountSummary, Account: accountDetail });

/** @param reader who asks: reviewers decide about transactions, and need no name for it */
export function accountView(one: AccountRow, reader: Role) {
  const isMasked = reader === 'reviewer';
  return {
    userId: one.id,
    accountId: one.account_id,
    email: isMasked ? maskEmail(one.email) : one.email,
    fullName: isMasked ? maskName(one.full_name) : one.full_name,
    role: one.role,
    tier: one.tier,
    disabled: one.disabled_at !== null,
    restricted: one.restricted_at !== null,
    lockout: lockoutView(one),
    openSessions: one.open_sessions,
    lastLogin:
      one.last_login_at === null ? null : { at: iso(one.last_login_at), status: one.last_login_status as LoginStatus },
    createdAt: iso(one.created_at),
  };
}

export function accountDetailView(one: AccountDetailRow, reader: Role) {
  const held = lockoutView(one);
  return {
    ...accountView(one, reader),
    lockout: held === null ? null : { ...held, unlockRequestedBy: one.unlock_requested_by },
    restriction:
      one.restriction_id === null
        ? null
        : {
            restrictionId: one.restriction_id,
            workflowId: workflowIds.restriction(one.restriction_id),
            since: iso(one.restricted_since ?? ''),
          },
    timeZone: one.time_zone,
    emailConfirmedAt: isoOrNull(one.email_confirmed_at),
    passwordChangedAt: isoOrNull(one.password_changed_at),
    passwordChangeRequired: one.password_one_time,
    disabledAt: isoOrNull(one.disabled_at),
    factors: one.factors,
    devices: one.devices,
    signingKeys: one.signing_keys,
    heldTransactions: one.held,
    unresolvedIncidents: one.unresolved_incidents,
  };
}

function lockoutView(one: AccountRow) {
  if (one.lockout_id === null || one.locked_until === null) return null;
  return {
    lockoutId: one.lockout_id,
    workflowId: workflowIds.lockout(one.lockout_id),
    lockedUntil: iso(one.locked_until),
    secondsLeft: one.seconds_left ?? 0,
  };
}
