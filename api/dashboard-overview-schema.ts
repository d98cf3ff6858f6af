import { z } from 'zod';
import type { SEVERITIES } from '../domain/incident.ts';
import { LOGIN_STATUSES } from '../domain/login.ts';
import { SCHEDULE_NAMES } from '../domain/schedule.ts';
import { TRANSACTION_STATUSES } from '../domain/transaction.ts';
import { nameSchemas } from './named-schemas.ts';

const time = z.iso.datetime();
const count = z.number().int();

/** How far a chart goes back, and how wide its buckets are: both in milliseconds. */
export const RISK_WINDOWS = {
  '24h': { windowMs: 24 * 3_600_000, bucketMs: 30 * 60_000 },
  '7d': { windowMs: 7 * 24 * 3_600_000, bucketMs: 3 * 3_600_000 },
  '30d': { windowMs: 30 * 24 * 3_600_000, bucketMs: 12 * 3_600_000 },
} as const;

export const overviewQuery = z.strictObject({
  window: z
    .enum(Object.keys(RISK_WINDOWS) as [keyof typeof RISK_WINDOWS])
    .default('24h')
    .describe('How far risk over time goes back'),
});

/** Statuses that a login ends in. */
export const LOGIN_ENDINGS = LOGIN_STATUSES.filter(
  (status) => status !== 'pending' && status !== 'step_up_required' && status !== 'enrolment_required',
);

const outcomes = (names: readonly string[], what: string) =>
  z
    .object({
      from: time.describe('A border of ten minutes, up to that much before the hour or the day'),
      total: count,
      byOutcome: z.object(Object.fromEntries(names.map((name) => [name, count]))),
    })
    .describe(what);
const loginOutcomes = outcomes(LOGIN_ENDINGS, 'Logins that ended in this time');
const transactionOutcomes = outcomes(TRANSACTION_STATUSES, 'What was decided at once in this time');

const riskBucket = z.object({
  at: time.describe('Where the bucket begins'),
  count: count.describe('What was scored'),
  average: z.number().nullable().describe('0 to 1; null where nothing was scored'),
  maximum: z.number().nullable().describe('0 to 1; null where nothing was scored'),
  highRisk: count.describe('Of these, above highRiskAbove'),
});

export const scheduleState = z.object({
  schedule: z.enum(SCHEDULE_NAMES),
  lastRun: z
    .object({
      startedAt: time,
      finishedAt: time.nullable(),
      outcome: z.enum(['running', 'succeeded', 'failed', 'cancelled']),
      reason: z.string().nullable().describe('A short code of what went wrong'),
      workflowId: z.string().nullable().describe('Null for a run at a terminal'),
    })
    .nullable()
    .describe('Null before the first; a backup, a drill or a rotation that somebody asked for counts'),
  lastSucceededAt: time.nullable(),
  nextRunAt: time.describe('By its plan: that an operator has paused it in Temporal is not seen here'),
  late: z.boolean().describe('The run that should have followed the last one has not begun'),
});

const incidentCounts = z.object({ open: count, investigating: count });

export const overviewDashboard = z.object({
  generatedAt: time,
  live: z.object({
    sessions: z.object({ open: count, more: z.boolean().describe('There are more than are counted') }),
    accounts: z.object({ locked: count, restricted: count }),
    logins: z.object({ lastHour: loginOutcomes, last24Hours: loginOutcomes }),
    transactions: z.object({ lastHour: transactionOutcomes, last24Hours: transactionOutcomes }),
  }),
  risk: z.object({
    window: overviewQuery.shape.window.unwrap(),
    bucketSeconds: count,
    highRiskAbove: z.number(),
    transactions: z.array(riskBucket).describe('Oldest first, none missing; the last one is still being filled'),
    logins: z.array(riskBucket),
  }),
  incidents: z.object({
    unresolved: count,
    bySeverity: z.object({
      low: incidentCounts,
      medium: incidentCounts,
      high: incidentCounts,
      critical: incidentCounts,
    } satisfies Record<(typeof SEVERITIES)[number], z.ZodType>),
  }),
  held: z.object({
    count,
    value: z.string().describe('In the base currency'),
    currency: z.string(),
    withoutValue: count.describe(
      'Held ones that are not in `value`: there was no exchange rate, or another base currency',
    ),
    nextDeadline: time.nullable(),
  }),
  audit: z.object({
    sealer: z.object({
      unsealed: count.describe('Entries that wait for their seal, counted up to 10000'),
      oldestUnsealedMs: count.describe('Age of the oldest that waits; 0 for none'),
      lastSeq: count.nullable(),
      lastSealedAt: time.nullable(),
    }),
    verification: z
      .object({
        verificationId: z.uuid(),
        valid: z.boolean(),
        mode: z.enum(['full', 'incremental', 'range']),
        checked: count,
        firstInvalidSeq: count.nullable(),
        reason: z.string().nullable(),
        requestedBy: z.uuid().nullable().describe('Null for the schedule'),
        finishedAt: time,
      })
      .nullable()
      .describe('The last one that came to a result'),
    verificationRunning: z.boolean(),
    checkpoint: z
      .object({
        name: z.string(),
        fork: count,
        size: count.describe('Entries that it covers'),
        time,
        recordedAt: time,
        witness: z.enum(['none', 'cosigned', 'refused', 'unreachable', 'invalid']),
        failedPlaces: z.array(z.string()).describe('Places that it was not published to'),
      })
      .nullable()
      .describe('The newest that was published'),
  }),
  schedules: z.array(scheduleState),
});
nameSchemas({ RiskBucket: riskBucket, ScheduleState: scheduleState, OverviewDashboard: overviewDashboard });
