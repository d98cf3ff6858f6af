import { z } from 'zod';
import { LOGIN_STATUSES } from '../domain/login.ts';
import { role, transactionStatus, transactionType } from './enumerations.ts';
import { nameSchemas } from './named-schemas.ts';

const time = z.iso.datetime();
const count = z.number().int();
/** An address without an account has no user: its keyed hash tells repeats apart, and nothing else. */
const who = { userId: z.uuid().nullable(), subject: z.string() };
const reasons = z.array(z.record(z.string(), z.unknown()));

export const dashboardQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).describe('Rows of each list'),
});

/** One login as staff see it, wherever it is listed. */
export const loginAttempt = z.object({
  loginId: z.uuid(),
  workflowId: z.string(),
  ...who,
  status: z.enum(LOGIN_STATUSES),
  channel: z.enum(['cookie', 'bearer']),
  score: z.number().nullable().describe('0 to 1; null where nothing was scored'),
  explanation: z.array(z.string()),
  reasons,
  ruleSetVersion: z.string().nullable(),
  deviceFinding: z.string().nullable(),
  ip: z.string().nullable(),
  network: z.string().nullable(),
  userAgent: z.string().nullable(),
  place: z
    .object({
      latitude: z.number(),
      longitude: z.number(),
      accuracyKm: z.number().nullable(),
      country: z.string().nullable().describe('ISO 3166-1 alpha-2'),
      region: z.string().nullable().describe('ISO 3166-2'),
      flags: z.array(z.string()).describe('vpn, relay, tor, hosting or satellite'),
    })
    .nullable()
    .describe('Null where nobody knows where the address is'),
  startedAt: time,
  finishedAt: time.nullable(),
});

export const loginThresholds = z.object({
  ruleSetVersion: z.string(),
  factorAbove: z.number(),
  additionalVerificationAbove: z.number(),
  deniedAbove: z.number(),
  lockout: z.object({ failures: count, windowSeconds: z.number(), durationSeconds: z.number() }),
});

const lockedAccount = z.object({
  lockoutId: z.uuid(),
  workflowId: z.string(),
  ...who,
  startedAt: time,
  lockedUntil: time,
  secondsLeft: count,
  unlockRequestedBy: z.uuid().nullable(),
});

export const authDashboard = z.object({
  generatedAt: time,
  recentAttempts: z.array(loginAttempt),
  failedLogins: z.object({
    countedAtMost: count.describe('Of the last 24 hours, the latest failures up to this number are counted'),
    byUser: z.array(z.object({ ...who, failures: count, whileLocked: count, networks: count, lastAt: time })),
    byNetwork: z.array(
      z.object({ network: z.string().nullable(), failures: count, whileLocked: count, accounts: count }),
    ),
  }),
  lockedAccounts: z.array(lockedAccount),
  places: z.object({
    countedAtMost: count.describe('Of the last 24 hours, the latest attempts up to this number are looked at'),
    items: z
      .array(
        z.object({
          latitude: z.number(),
          longitude: z.number(),
          country: z.string().nullable(),
          region: z.string().nullable(),
          attempts: count,
          failures: count.describe('Wrong passwords, and attempts that met a lock'),
          denied: count.describe('The password was right and the risk too high'),
          accounts: count,
          lastAt: time,
        }),
      )
      .describe('Where they came from, most first'),
  }),
  thresholds: loginThresholds,
});

const risky = z.object({
  transactionId: z.uuid(),
  workflowId: z.string(),
  userId: z.uuid(),
  accountId: z.uuid(),
  type: transactionType,
  amount: z.string().nullable(),
  currency: z.string(),
  category: z.string(),
  status: transactionStatus,
  code: z.string().nullable(),
  score: z.number(),
  explanation: z.array(z.string()),
  reasons,
  ruleSetVersion: z.string(),
  createdAt: time,
  heldAt: time.nullable(),
  reviewBy: time.nullable(),
});

export const transactionThresholds = z.object({
  ruleSetVersion: z.string(),
  factorAbove: z.number(),
  highRiskAbove: z.number(),
  reviewAbove: z.number(),
  escalateAbove: z.number(),
  stepUpAmountAbove: z.string(),
  reviewWindowSeconds: z.number(),
});

export const transactionsDashboard = z.object({
  generatedAt: time,
  highRisk: z.array(risky).describe('Score above 0.6, newest first'),
  flagged: z.array(risky).describe('Score above 0.7: held for review, at once or after a step-up'),
  open: z.object({ held: count, nextDeadline: time.nullable(), steppingUp: count }),
  last24Hours: z.object({
    from: time.describe('A border of ten minutes, up to that much before 24 hours ago'),
    to: time,
    total: count,
    byDecision: z.record(transactionStatus, count).describe('What was decided at once'),
    byType: z.record(transactionType, count),
    ended: z.object({ settled: count, rejected: count }).describe('Ends of what had to wait'),
    heldAfterStepUp: count,
    rejectedByCode: z.record(z.string(), count),
    settledVolume: z.array(z.object({ currency: z.string(), amount: z.string() })),
    highRisk: count,
    flagged: count,
    escalated: count.describe('Score above 0.8'),
  }),
  anomalies: z
    .array(z.object({ ruleId: z.string(), fired: count, share: z.number(), errors: count }))
    .describe('By rule: how often it fired in the last 24 hours, and its share of all transactions'),
  thresholds: transactionThresholds,
});

const refusals = {
  total: count,
  byRoute: z.array(z.object({ route: z.string(), refusals: count })),
  byNetwork: z.array(z.object({ network: z.string().nullable(), refusals: count })),
};
const byCause = z.array(z.object({ cause: z.string(), refusals: count }));

const monitoredEndpoint = z.object({
  method: z.string(),
  path: z.string(),
  access: z.array(role).nullable().describe('Roles that may call it; null where no session is needed'),
  signed: z.boolean(),
  limit: z.enum(['shared', 'local', 'none']).describe('Where calls a minute are counted'),
  calls: count.describe('Since this process started'),
  clientErrors: count,
  serverErrors: count,
});

export const apiSecurityDashboard = z.object({
  generatedAt: time,
  windowHours: z.literal(24),
  rateLimitViolations: z.object({
    ...refusals,
    limitPerMinute: count,
    latest: z.array(
      z.object({
        route: z.string(),
        network: z.string().nullable(),
        userId: z.uuid().nullable(),
        refusals: count,
        firstAt: time,
        lastAt: time,
      }),
    ),
  }),
  failedAuthentications: z.object({
    passwords: z.array(
      z.object({ network: z.string().nullable(), failures: count, whileLocked: count, accounts: count }),
    ),
    factors: z.array(z.object({ challenge: z.string(), method: z.string(), failures: count })),
    sessions: count.describe('Requests with a token that opens nothing'),
  }),
  failedSignatures: z.object({ ...refusals, byCause }),
  invalidTokens: z.object({ ...refusals, byCause }),
  monitoredEndpoints: z.array(monitoredEndpoint),
});
nameSchemas({
  LoginAttempt: loginAttempt,
  LockedAccount: lockedAccount,
  RiskyTransaction: risky,
  MonitoredEndpoint: monitoredEndpoint,
  AuthDashboard: authDashboard,
  TransactionsDashboard: transactionsDashboard,
  ApiSecurityDashboard: apiSecurityDashboard,
});
