import { z } from 'zod';
import { staffDirectory } from '../db/account-directory.ts';
import { auditOrigin } from '../db/audit-search.ts';
import { activeVersions, readDocument } from '../db/rule-sets.ts';
import { canAdminister, canAudit, canHandleIncidents, canReview, ROLES } from '../domain/roles.ts';
import { loginThresholds, transactionThresholds } from './dashboard-schema.ts';
import type { ApiDeps } from './deps.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, type RouteContext, route } from './route.ts';
import { loginThresholdsOf, transactionThresholdsOf } from './thresholds.ts';

/** Colleagues that are named; an installation with more shows the others by their ids. */
const STAFF_LISTED = 500;

const seconds = z.number();
const consoleSchema = z.object({
  user: z.object({
    userId: z.uuid(),
    sessionId: z.uuid(),
    email: z.string(),
    fullName: z.string(),
    role: z.enum(ROLES),
    may: z
      .object({ review: z.boolean(), handleIncidents: z.boolean(), audit: z.boolean(), administer: z.boolean() })
      .describe('By role; an answer still refuses what is the caller’s own'),
    factorFreshUntil: z.iso.datetime().nullable().describe('Until then no step-up is asked for; null without a factor'),
  }),
  staff: z
    .array(z.object({ userId: z.uuid(), fullName: z.string(), role: z.enum(ROLES) }))
    .describe(`Colleagues who may sign in, by name, ${STAFF_LISTED} at most`),
  installation: z.object({
    production: z.boolean(),
    baseCurrency: z.string().describe('ISO 4217'),
    auditOrigin: z.string().describe('Name of the audit log, as checkpoints and proofs carry it'),
    backupTimeZone: z.string().describe('IANA zone of the nightly backup'),
    rateLimitPerMinute: z.number().int(),
    stepUpFreshnessSeconds: seconds,
  }),
  temporal: z.object({
    namespace: z.string(),
    uiUrl: z.string().nullable().describe('Null where no Temporal UI is configured'),
    workflowUrl: z
      .string()
      .nullable()
      .describe('A workflow in the UI: put its `workflowId`, percent-encoded, in place of `{workflowId}`'),
  }),
  thresholds: z.object({ login: loginThresholds, transaction: transactionThresholds }),
  review: z.object({
    windowSeconds: seconds,
    claimSeconds: seconds.describe('How long a claim lasts unless its holder does something'),
    secondApprovalAbove: z
      .string()
      .nullable()
      .describe('In the base currency: above it two people approve; null where one always suffices'),
  }),
});
nameSchemas({ Console: consoleSchema });

/** What the pages of staff have to know before they show anything: who looks, where links go, which borders hold. */
export function createConsoleRoutes({ config, db }: ApiDeps): Route[] {
  async function read(context: RouteContext): Promise<z.output<typeof consoleSchema>> {
    const { userId, sessionId, email, fullName, role, factorAt } = principalOf(context);
    const tx = db.fork();
    const { live } = await activeVersions(tx);
    const rules = await readDocument(tx, live);
    const staff = await staffDirectory(tx, STAFF_LISTED);
    return {
      user: {
        ...{ userId, sessionId, email, fullName, role },
        may: {
          review: canReview(role),
          handleIncidents: canHandleIncidents(role),
          audit: canAudit(role),
          administer: canAdminister(role),
        },
        factorFreshUntil:
          factorAt === null ? null : new Date(factorAt.getTime() + config.stepUpFreshness).toISOString(),
      },
      staff: staff.map((one) => ({ userId: one.id, fullName: one.full_name, role: one.role })),
      installation: {
        production: config.production,
        baseCurrency: config.baseCurrency,
        auditOrigin: await auditOrigin(tx),
        backupTimeZone: config.backupTimeZone,
        rateLimitPerMinute: config.rateLimitPerMinute,
        stepUpFreshnessSeconds: config.stepUpFreshness / 1000,
      },
      temporal: temporalLinks(config),
      thresholds: { login: loginThresholdsOf(config), transaction: transactionThresholdsOf(config, live, rules) },
      review: {
        windowSeconds: config.quarantineReviewWindow / 1000,
        claimSeconds: config.reviewClaimTtl / 1000,
        secondApprovalAbove: config.reviewTwoPersonAbove ?? null,
      },
    };
  }

  return [
    route({
      method: 'get',
      path: '/api/admin/security/console',
      name: 'getConsole',
      summary: 'Who looks, where links go, and the thresholds in force',
      access: { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'none' },
      responses: { 200: { description: 'As of now', schema: consoleSchema } },
      handler: async (context) => ({ status: 200, body: await read(context) }),
    }),
  ];
}

function temporalLinks({
  temporalNamespace: namespace,
  temporalUiUrl,
}: Pick<ApiDeps['config'], 'temporalNamespace' | 'temporalUiUrl'>) {
  const uiUrl = temporalUiUrl?.replace(/\/+$/, '') ?? null;
  const workflowUrl =
    uiUrl === null ? null : `${uiUrl}/namespaces/${encodeURIComponent(namespace)}/workflows/{workflowId}`;
  return { namespace, uiUrl, workflowUrl };
}
