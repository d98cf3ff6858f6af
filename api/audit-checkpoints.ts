import { z } from 'zod';
import {
  CHECKPOINT_TRIGGERS,
  listCheckpoints,
  type StoredCheckpoint,
  WITNESS_OUTCOMES,
} from '../db/audit-checkpoints.ts';
import { auditOrigin } from '../db/audit-search.ts';
import { iso } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import { checkpointName } from '../security/checkpoint.ts';
import { uuidV7 } from '../security/uuid.ts';
import { AUDIT_LOGS, auditors } from './audit-access.ts';
import { decodeForkCursor, encodeForkCursor, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { traceOf } from './request-trace.ts';
import { type Route, type RouteContext, route } from './route.ts';

const checkpointSchema = z.object({
  name: z.string().describe('Name of the file in every place'),
  fork: z.number().int().describe('How many restores that lost published entries were accepted before'),
  size: z.number().int().describe('Entries that it covers, from the first on'),
  root: z.string().describe('Root of their Merkle tree (RFC 9162), hex'),
  head: z.string().describe('Hash of the last of them in the chain, hex'),
  time: z.iso.datetime(),
  key: z.string().describe('Verifier key of who signed it (C2SP signed note)'),
  note: z.string().describe('As published: C2SP tlog-checkpoint'),
});
const recordedSchema = checkpointSchema.extend({
  recordedAt: z.iso.datetime(),
  trigger: z.enum([...CHECKPOINT_TRIGGERS, 'found']),
  places: z.record(z.string(), z.string().nullable()).describe('By place: null, or why it was not published there'),
  witness: z.enum(WITNESS_OUTCOMES),
});
const publishedSchema = z.object({
  status: z.enum(['published', 'unchanged', 'refused']),
  name: z.string().nullable().describe('Of the checkpoint that counts now, or that the log contradicts'),
  reason: z.string().optional().describe('Why nothing was published: what was found wrong'),
});
nameSchemas({
  Checkpoint: checkpointSchema,
  RecordedCheckpoint: recordedSchema,
  CheckpointPublication: publishedSchema,
});

/** What is published of the audit log. Reads are audited as those of the log are. */
export function createAuditCheckpointRoutes({ db, audit, gateway }: ApiDeps): Route[] {
  async function read(context: RouteContext, page: Parameters<typeof listCheckpoints>[1]): Promise<StoredCheckpoint[]> {
    return db.transaction(async (tx) => {
      const found = await listCheckpoints(tx, page);
      await audit.append(tx, {
        ...traceOf(context),
        action: 'audit.checkpoints_read',
        subject: { kind: 'audit_log', id: await auditOrigin(tx) },
        details: { returned: found.length, continued: page.before !== null },
      });
      return found;
    });
  }

  return [
    route({
      method: 'get',
      path: `${AUDIT_LOGS}/checkpoint`,
      name: 'getAuditCheckpoint',
      summary: 'The last published checkpoint of the log; with `Accept: text/plain` the signed note alone',
      access: auditors,
      headers: { accept: { description: 'text/plain for the note alone', required: false } },
      responses: {
        200: { description: 'The checkpoint', schema: checkpointSchema, mediaTypes: ['text/plain'] },
        404: { description: 'None yet' },
      },
      async handler(context) {
        const [last] = await read(context, { limit: 1, before: null });
        if (last === undefined) throw new DomainError('not_found', 'No checkpoint was published yet.');
        const accept = context.request.header('accept') ?? '';
        if (/^text\/plain\b/i.test(accept)) {
          return { status: 200, contentType: 'text/plain; charset=utf-8', body: last.note };
        }
        return { status: 200, body: viewOf(last) };
      },
    }),
    route({
      method: 'get',
      path: `${AUDIT_LOGS}/checkpoints`,
      name: 'listAuditCheckpoints',
      summary: 'Published checkpoints of the log, the newest first',
      access: auditors,
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: 'One page',
          schema: listSchema('CheckpointList', recordedSchema),
        },
      },
      async handler(context) {
        const { limit, cursor } = context.query;
        const found = await read(context, { limit: limit + 1, before: decodeForkCursor(cursor) });
        const items = found.slice(0, limit);
        const last = items.at(-1);
        const nextCursor = found.length > limit && last ? encodeForkCursor(last) : null;
        return { status: 200, body: { items: items.map(recordOf), nextCursor } };
      },
    }),
    route({
      method: 'post',
      path: `${AUDIT_LOGS}/checkpoints`,
      name: 'publishAuditCheckpoint',
      summary: 'Publish a checkpoint now, unless nothing is new',
      access: auditors,
      body: z.strictObject({}),
      responses: {
        200: { description: 'What came of it', schema: publishedSchema },
        503: { description: 'It takes longer than usual: see the list' },
      },
      async handler(context) {
        const id = uuidV7();
        await db.transaction((tx) =>
          audit.append(tx, {
            ...traceOf(context),
            action: 'audit.checkpoint_requested',
            subject: { kind: 'audit_checkpoint', id },
          }),
        );
        return { status: 200, body: await gateway.publishAuditCheckpoint(id) };
      },
    }),
  ];
}

function viewOf({ fork, size, root, head, note, key, at }: StoredCheckpoint): z.input<typeof checkpointSchema> {
  return {
    name: checkpointName({ fork, size }),
    ...{ fork, size, root: root.toString('hex'), head: head.toString('hex'), time: iso(at), key, note },
  };
}

function recordOf(stored: StoredCheckpoint): z.input<typeof recordedSchema> {
  const { recordedAt, trigger, places, witness } = stored;
  return { ...viewOf(stored), recordedAt: iso(recordedAt), trigger, places, witness };
}
