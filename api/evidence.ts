import { z } from 'zod';
import {
  abandonEvidence,
  evidenceDocument,
  listEvidence,
  readEvidence,
  requestEvidence,
  type StoredEvidence,
} from '../db/evidence.ts';
import { iso, isoOrNull } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import {
  EVIDENCE_STATUSES,
  EVIDENCE_WINDOW_HOURS,
  isEvidenceFinal,
  MAX_EVIDENCE_WINDOW_HOURS,
} from '../domain/evidence.ts';
import { uuidV7 } from '../security/uuid.ts';
import { workflowIds } from '../workflows/contract.ts';
import { follow } from './await-outcome.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { traceOf } from './request-trace.ts';
import { type Access, principalOf, type Reply, type Route, route } from './route.ts';

const PATH = '/api/admin/security/incidents/{incidentId}/evidence';
/** The answer comes within ten seconds, or says where it will be; the margin is for the call itself. */
const ANSWER_WITHIN_MS = 9_500;
const KEY_PATTERN = /^[!-~]{1,200}$/;

/** Reviewers work on incidents and do not read the audit log: evidence is a part of that log. */
const auditors: Access = { kind: 'session', roles: ['auditor', 'admin'], ownership: 'any' };

const incidentParams = z.object({ incidentId: z.uuid() });
const bundleParams = z.object({ incidentId: z.uuid(), bundleId: z.uuid() });
const order = z.strictObject({
  windowHours: z
    .int()
    .min(1)
    .max(MAX_EVIDENCE_WINDOW_HOURS)
    .default(EVIDENCE_WINDOW_HOURS)
    .describe('Hours before the incident was first seen from which on entries belong to it'),
});
const hex = z.string().regex(/^[0-9a-f]{64}$/);
const evidenceSchema = z.object({
  bundleId: z.uuid(),
  workflowId: z.string(),
  incidentId: z.uuid(),
  status: z.enum(EVIDENCE_STATUSES),
  windowHours: z.int(),
  requestedBy: z.uuid(),
  requestedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
  reason: z.string().nullable().describe('Why it failed'),
  bundle: z
    .object({
      bytes: z.int(),
      sha256: hex.describe('Of the file'),
      manifestSha256: hex,
      entries: z.int().describe('In the bundle'),
      found: z.int().describe('That belong to the incident; more than entries and pending where the bundle was cut'),
      pending: z.int().describe('That had no seal, so that nothing proves them'),
      checkpoint: z.string().nullable().describe('Null where the log contradicts what is published'),
      valid: z.boolean().describe('What the holder of the audit key found in the entries and in the log around them'),
      firstInvalidSeq: z.int().nullable(),
      reason: z.string().nullable(),
    })
    .nullable()
    .describe('Null until it is ready'),
});
nameSchemas({ EvidenceBundle: evidenceSchema });

/** Evidence of incidents for auditors: making a bundle, the list, and the file that `tradeguard-verify` verifies. */
export function createEvidenceRoutes({ db, audit, gateway, log }: ApiDeps): Route[] {
  async function known(incidentId: string, bundleId: string): Promise<StoredEvidence> {
    const stored = await readEvidence(db.fork(), bundleId);
    if (stored === undefined || stored.incidentId !== incidentId) throw unknownBundle();
    return stored;
  }

  /** @param isNew false for one that somebody asked for before: its start may have been lost, or its run ended by an operator */
  async function start(bundleId: string, isNew: boolean): Promise<void> {
    try {
      if (await gateway.startIncidentEvidence(bundleId)) return;
      await abandonEvidence(db.fork(), bundleId, { status: 'failed', reason: 'interrupted' });
    } catch (error) {
      // A start that timed out may still have happened: then the row is final and the workflow finds nothing to do.
      if (isNew) await abandonEvidence(db.fork(), bundleId, { status: 'failed', reason: 'not_started' });
      throw error;
    }
  }

  return [
    route({
      method: 'post',
      path: PATH,
      name: 'createIncidentEvidence',
      summary: 'Gather what the audit log holds about an incident into a bundle that can be verified elsewhere',
      access: auditors,
      params: incidentParams,
      body: order,
      headers: {
        'idempotency-key': {
          description: '1 to 200 visible ASCII characters; the same key of the same caller is one bundle',
          required: false,
          pattern: KEY_PATTERN.source,
        },
      },
      responses: {
        200: {
          description: 'It had been asked for before, and is ready.',
          schema: evidenceSchema,
          headers: ['Location'],
        },
        201: { description: 'It is ready: see Location.', schema: evidenceSchema, headers: ['Location'] },
        202: {
          description: 'It takes longer, or came to nothing: see Location.',
          schema: evidenceSchema,
          headers: ['Location'],
        },
        404: { description: 'Unknown incident' },
        409: { description: 'The key was used with another window' },
      },
      async handler(context): Promise<Reply> {
        const deadline = performance.now() + ANSWER_WITHIN_MS;
        const { incidentId } = context.params;
        const { windowHours } = context.body;
        const key = context.request.header('idempotency-key') ?? null;
        if (key !== null && !KEY_PATTERN.test(key)) {
          throw new DomainError('validation_failed', 'An Idempotency-Key has 1 to 200 visible ASCII characters.');
        }
        const { id, isNew } = await db.transaction(async (tx) => {
          const requestedBy = principalOf(context).userId;
          const asked = await requestEvidence(tx, { id: uuidV7(), incidentId, windowHours, requestedBy, key });
          if (asked.isNew) {
            await audit.append(tx, {
              ...traceOf(context),
              action: 'incident.evidence_requested',
              subject: { kind: 'incident', id: incidentId },
              details: { bundleId: asked.id, windowHours },
            });
          }
          return asked;
        });
        const before = await known(incidentId, id);
        if (!isEvidenceFinal(before.status)) await start(id, isNew);
        const stored = await follow(
          () => known(incidentId, id),
          ({ status: seen }) => isEvidenceFinal(seen),
          deadline,
        );
        const status = stored.status !== 'ready' ? 202 : isNew ? 201 : 200;
        const Location = `${PATH.replace('{incidentId}', incidentId)}/${id}`;
        return { status, headers: { Location }, body: viewOf(stored) };
      },
    }),

    route({
      method: 'get',
      path: PATH,
      name: 'listIncidentEvidence',
      summary: 'Bundles of evidence of an incident, newest first',
      access: auditors,
      params: incidentParams,
      query: z.object(pageQuery),
      responses: {
        200: {
          description: 'One page',
          schema: listSchema('EvidenceBundleList', evidenceSchema),
        },
      },
      async handler({ params, query }) {
        const before = decodeCursor(query.cursor);
        const found = await listEvidence(db.fork(), params.incidentId, { limit: query.limit + 1, before });
        const page = pageOf(found, query.limit, ({ requestedAt, id }) => ({ at: requestedAt, id }));
        return { status: 200, body: { items: page.items.map(viewOf), nextCursor: page.nextCursor } };
      },
    }),

    route({
      method: 'get',
      path: `${PATH}/{bundleId}`,
      name: 'getIncidentEvidence',
      summary: 'How the making of a bundle goes, or what it is',
      access: auditors,
      params: bundleParams,
      responses: { 200: { description: 'As it stands', schema: evidenceSchema }, 404: { description: 'Unknown' } },
      handler: async ({ params }) => ({ status: 200, body: viewOf(await known(params.incidentId, params.bundleId)) }),
    }),

    route({
      method: 'post',
      path: `${PATH}/{bundleId}/cancel`,
      name: 'cancelIncidentEvidence',
      summary: 'Stop the making of a bundle; nothing of it stays',
      access: auditors,
      params: bundleParams,
      body: z.strictObject({}),
      responses: {
        200: { description: 'Stopped, now or before', schema: evidenceSchema },
        404: { description: 'Unknown' },
        409: { description: 'It has ended already' },
      },
      async handler(context): Promise<Reply> {
        const { incidentId, bundleId } = context.params;
        await known(incidentId, bundleId);
        // The row decides: what is gathered after this is not stored. Its workflow only stops the sooner.
        const isStopped = await db.transaction(async (tx) => {
          const isNow = await abandonEvidence(tx, bundleId, { status: 'cancelled' });
          if (isNow) {
            await audit.append(tx, {
              ...traceOf(context),
              action: 'incident.evidence_cancelled',
              subject: { kind: 'incident', id: incidentId },
              details: { bundleId },
            });
          }
          return isNow;
        });
        const stored = await known(incidentId, bundleId);
        if (stored.status !== 'cancelled') {
          throw new DomainError('illegal_transition', 'This bundle is not being made any more.');
        }
        if (isStopped) {
          await gateway
            .cancelRun(workflowIds.incidentEvidence(bundleId))
            .catch((error) => log.warn({ err: error, bundleId }, 'a cancelled bundle of evidence could not be told'));
        }
        return { status: 200, body: viewOf(stored) };
      },
    }),

    route({
      method: 'get',
      path: `${PATH}/{bundleId}/download`,
      name: 'downloadIncidentEvidence',
      summary: 'The bundle as a file, for tradeguard-verify; the call itself becomes an entry of the log',
      access: auditors,
      params: bundleParams,
      responses: {
        200: {
          description: 'Gzipped JSON; ETag is its SHA-256',
          mediaTypes: ['application/gzip'],
          headers: ['ETag', 'ContentDisposition'],
        },
        404: { description: 'Unknown' },
        409: { description: 'It is not ready' },
      },
      async handler(context): Promise<Reply> {
        const { incidentId, bundleId } = context.params;
        const { bundle } = await known(incidentId, bundleId);
        if (bundle === null) throw new DomainError('illegal_transition', 'This bundle is not ready.');
        const { sha256, manifestSha256 } = bundle;
        const body = await db.transaction(async (tx) => {
          const document = await evidenceDocument(tx, bundleId);
          await audit.append(tx, {
            ...traceOf(context),
            action: 'incident.evidence_read',
            subject: { kind: 'incident', id: incidentId },
            details: { bundleId, sha256, manifestSha256 },
          });
          return document;
        });
        const name = `evidence-${incidentId}-${bundleId}.json.gz`;
        return {
          status: 200,
          contentType: 'application/gzip',
          headers: { 'Content-Disposition': `attachment; filename="${name}"`, ETag: `"${sha256}"` },
          body,
        };
      },
    }),
  ];
}

function viewOf({ id, requestedAt, finishedAt, ...stored }: StoredEvidence): z.input<typeof evidenceSchema> {
  return {
    bundleId: id,
    workflowId: workflowIds.incidentEvidence(id),
    ...stored,
    requestedAt: iso(requestedAt),
    finishedAt: isoOrNull(finishedAt),
  };
}

function unknownBundle(): DomainError {
  return new DomainError('not_found', 'There is no such bundle of evidence.');
}
