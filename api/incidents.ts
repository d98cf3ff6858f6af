import { z } from 'zod';
import { lockIncident, resolveLockedIncident, takeUpLockedIncident } from '../db/incidents.ts';
import { iso, isoOrNull, row, rows, type Tx } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import {
  assertIncidentCanBecome,
  CAUSE_SEVERITY,
  INCIDENT_STATUSES,
  type IncidentCause,
  type IncidentStatus,
} from '../domain/incident.ts';
import { workflowIds } from '../workflows/contract.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { incidentSeverity, incidentStatus } from './enumerations.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, type RouteContext, route } from './route.ts';

const STAFF = ['reviewer', 'admin', 'auditor'] as const;
const HANDLERS = ['reviewer', 'admin'] as const;
const BASE = '/api/admin/security/incidents';

const summarySchema = z.object({
  incidentId: z.uuid(),
  workflowId: z.string(),
  cause: z.string(),
  subject: z.object({ kind: z.string(), id: z.string() }),
  userId: z.uuid().nullable(),
  severity: incidentSeverity,
  status: incidentStatus,
  title: z.string(),
  openedAt: z.iso.datetime(),
  assignedTo: z.uuid().nullable(),
  escalations: z.number().int(),
  resolvedAt: z.iso.datetime().nullable(),
  resolvedBy: z.uuid().nullable(),
  resolution: z.string().nullable(),
});
const eventSchema = z.object({
  at: z.iso.datetime(),
  kind: z.string(),
  actor: z.string(),
  details: z.record(z.string(), z.unknown()),
});
const detailSchema = summarySchema.extend({
  timeline: z.array(eventSchema),
});
nameSchemas({ Incident: summarySchema, IncidentEvent: eventSchema, IncidentDetail: detailSchema });
const listQuery = z.object({
  status: z
    .enum([...INCIDENT_STATUSES, 'unresolved'])
    .optional()
    .describe('`unresolved`: open or investigating'),
  severity: incidentSeverity.optional().describe('Exactly this severity'),
  cause: z
    .enum(Object.keys(CAUSE_SEVERITY) as IncidentCause[])
    .optional()
    .describe('What brought it about'),
  ...pageQuery,
});
const pathParams = z.object({ incidentId: z.uuid() });
const resolveBody = z.strictObject({
  resolution: z
    .string()
    .trim()
    .min(1)
    .max(1000)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed Unicode without U+0000'),
});

/** Incidents for staff: the list, one with its timeline, taking one up, resolving it. */
export function createIncidentRoutes({ db, audit, gateway, log }: ApiDeps): Route[] {
  /** The change is committed; a workflow that cannot be reached now sees it on its next look, or `reconcile` tells it. */
  async function tellWorkflow(incidentId: string): Promise<void> {
    try {
      await gateway.signalIncidentChanged(incidentId);
    } catch (error) {
      log.warn({ err: error, incidentId }, 'the incident changed and its workflow could not be told');
    }
  }

  async function change(
    context: RouteContext<z.output<typeof pathParams>>,
    to: IncidentStatus,
    apply: (tx: Tx) => Promise<void>,
  ) {
    const { incidentId } = context.params;
    const changed = await db.transaction(async (tx) => {
      const incident = await lockIncident(tx, incidentId);
      if (incident === undefined) throw unknownIncident();
      assertIncidentCanBecome(incident.status, to);
      await apply(tx);
      return detailsOf(tx, incidentId);
    });
    await tellWorkflow(incidentId);
    return { status: 200, body: changed };
  }

  return [
    route({
      method: 'get',
      path: BASE,
      name: 'listIncidents',
      summary: 'Incidents, newest first',
      access: { kind: 'session', roles: STAFF, ownership: 'any' },
      query: listQuery,
      responses: {
        200: {
          description: 'One page',
          schema: listSchema('IncidentList', summarySchema),
        },
      },
      handler: async ({ query }) => {
        const after = decodeCursor(query.cursor);
        const found = await rows<IncidentRow>(
          db.fork(),
          `select ${COLUMNS} from incident
            where ($1::text is null or status = $1 or ($1 = 'unresolved' and status <> 'resolved'))
              and ($2::text is null or severity = $2)
              and ($3::timestamptz is null or (opened_at, id) < ($3::timestamptz, $4::uuid))
              and ($6::text is null or cause = $6)
            order by opened_at desc, id desc limit $5`,
          [
            query.status ?? null,
            query.severity ?? null,
            after?.at ?? null,
            after?.id ?? null,
            query.limit + 1,
            query.cause ?? null,
          ],
        );
        const page = pageOf(found, query.limit, ({ opened_at, id }) => ({ at: opened_at, id }));
        return { status: 200, body: { items: page.items.map(summaryOf), nextCursor: page.nextCursor } };
      },
    }),
    route({
      method: 'get',
      path: `${BASE}/{incidentId}`,
      name: 'getIncident',
      summary: 'One incident with its timeline',
      access: { kind: 'session', roles: STAFF, ownership: 'any' },
      params: pathParams,
      responses: { 200: { description: 'The incident', schema: detailSchema }, 404: { description: 'Unknown' } },
      handler: async ({ params }) => ({ status: 200, body: await detailsOf(db.fork(), params.incidentId) }),
    }),
    route({
      method: 'post',
      path: `${BASE}/{incidentId}/investigate`,
      name: 'investigateIncident',
      summary: 'Take an incident up: it is no longer escalated',
      access: { kind: 'session', roles: HANDLERS, ownership: 'any' },
      params: pathParams,
      responses: {
        200: { description: 'Taken up by the caller', schema: detailSchema },
        404: { description: 'Unknown' },
        409: { description: 'Somebody has taken it up, or it is resolved: illegal_transition' },
      },
      handler: (context) => {
        const { userId } = principalOf(context);
        const { incidentId } = context.params;
        const { requestId, ip, userAgent } = context.request;
        return change(context, 'investigating', (tx) =>
          takeUpLockedIncident(tx, { audit }, { incidentId, by: userId, requestId, ip, userAgent }),
        );
      },
    }),
    route({
      method: 'post',
      path: `${BASE}/{incidentId}/resolve`,
      name: 'resolveIncident',
      summary: 'Resolve an incident',
      access: { kind: 'session', roles: HANDLERS, ownership: 'any' },
      params: pathParams,
      body: resolveBody,
      responses: {
        200: { description: 'Resolved', schema: detailSchema },
        404: { description: 'Unknown' },
        409: { description: 'It is resolved already: illegal_transition' },
      },
      handler: (context) => {
        const { userId } = principalOf(context);
        const { incidentId } = context.params;
        const { requestId, ip, userAgent } = context.request;
        const { resolution } = context.body;
        return change(context, 'resolved', (tx) =>
          resolveLockedIncident(
            tx,
            { audit },
            { incidentId, resolution, resolvedBy: userId, requestId, ip, userAgent },
          ),
        );
      },
    }),
  ];
}

interface IncidentRow {
  id: string;
  cause: string;
  subject_kind: string;
  subject_id: string;
  user_id: string | null;
  severity: z.output<typeof summarySchema>['severity'];
  status: IncidentStatus;
  title: string;
  opened_at: string;
  assigned_to: string | null;
  escalations: number;
  resolved_at: string | null;
  resolved_by: string | null;
  resolution: string | null;
}

const COLUMNS = `id, cause, subject_kind, subject_id, user_id, severity, status, title, opened_at, assigned_to, escalations,
  resolved_at, resolved_by, resolution`;

function summaryOf(incident: IncidentRow): z.output<typeof summarySchema> {
  return {
    incidentId: incident.id,
    workflowId: workflowIds.incident(incident.id),
    cause: incident.cause,
    subject: { kind: incident.subject_kind, id: incident.subject_id },
    userId: incident.user_id,
    severity: incident.severity,
    status: incident.status,
    title: incident.title,
    openedAt: iso(incident.opened_at),
    assignedTo: incident.assigned_to,
    escalations: incident.escalations,
    resolvedAt: isoOrNull(incident.resolved_at),
    resolvedBy: incident.resolved_by,
    resolution: incident.resolution,
  };
}

async function detailsOf(tx: Tx, incidentId: string): Promise<z.output<typeof detailSchema>> {
  const incident = await row<IncidentRow>(tx, `select ${COLUMNS} from incident where id = $1`, [incidentId]);
  if (incident === undefined) throw unknownIncident();
  const timeline = await rows<{ at: string; kind: string; actor: string; details: Record<string, unknown> }>(
    tx,
    'select at, kind, actor, details from incident_event where incident_id = $1 order by id',
    [incidentId],
  );
  return { ...summaryOf(incident), timeline: timeline.map((event) => ({ ...event, at: iso(event.at) })) };
}

function unknownIncident(): DomainError {
  return new DomainError('not_found', 'There is no such incident.');
}
