import { z } from 'zod';
import { VERIFICATION_MODES, type VerificationScope } from '../domain/audit-scope.ts';
import { pageQuery } from './cursor.ts';
import { auditSeverity } from './enumerations.ts';
import { nameSchemas } from './named-schemas.ts';

const ID = /^[A-Za-z0-9][A-Za-z0-9:._/-]{0,127}$/;
/** Ids only: a name or an address in a filter would end up in the log, where it does not belong. */
const id = z.string().regex(ID, 'an id has up to 128 letters, digits and : . _ / -');
/** In UTC and within the years 1 to 9999: what RFC 3339 allows and PostgreSQL does not must not get there. */
const time = z.iso
  .datetime({ offset: true, error: 'a time is RFC 3339, for instance 2026-01-31T12:00:00Z' })
  .transform((text) => new Date(text).toISOString())
  .refine((text) => /^(?!0000)\d{4}-/.test(text), 'a year lies between 1 and 9999');

export const auditLogQuery = z.strictObject({
  action: z
    .string()
    .regex(/^[a-z_]{1,40}\.[a-z_]{1,60}$/, 'an action is noun.verb, for instance login.succeeded')
    .optional()
    .describe('What was done, for instance login.succeeded'),
  actor: id.optional().describe('Id of who did it'),
  subject: id.optional().describe('Id of what it was done to'),
  severity: auditSeverity.optional().describe('Exactly this severity'),
  from: time.optional().describe('From this time on'),
  to: time.optional().describe('Before this time'),
  ...pageQuery,
});

const party = z.object({ kind: z.string(), id: z.string().optional() });

const auditEntry = z.object({
  id: z.uuid(),
  at: z.string().describe('RFC 3339 with microseconds'),
  action: z.string(),
  actor: party,
  subject: party,
  outcome: z.enum(['success', 'failure', 'denied']),
  severity: auditSeverity.optional().describe('not in entries from before there were severities'),
  ip: z.string().nullable(),
  userAgent: z.string().nullable(),
  requestId: z.string().nullable(),
  workflowId: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
  v: z.literal(1),
  seq: z.number().nullable().describe('place in the chain; null until it is sealed'),
  hash: z.string().nullable().describe('hex SHA-256 of the previous hash and the entry'),
});

export const auditLogPage = z.object({
  items: z.array(auditEntry),
  nextCursor: z.string().nullable(),
  inColdStorage: z
    .array(z.string())
    .describe('months within the time that was asked for whose entries are in cold storage, and so not found here'),
});

export const verificationParams = z.object({ id: z.uuid() });

const seq = z.int().min(0);

/** What to verify: everything, or a part. */
export const verificationRequest = z
  .strictObject({
    from: seq.optional().describe('first entry; 0 where it is left out'),
    to: seq.optional().describe('the entry behind the last; the end of the log where it is left out'),
    incremental: z
      .boolean()
      .optional()
      .describe('go on from the longest published checkpoint that earlier verifications covered; without from and to'),
  })
  .refine(({ from = 0, to }) => to === undefined || from < to, {
    path: ['to'],
    error: '`to` is exclusive and greater than `from`: {"from": 0, "to": 1} is the first entry',
  })
  .refine(({ from, to, incremental }) => !incremental || (from === undefined && to === undefined), {
    path: ['incremental'],
    error: 'an incremental verification finds its own start: leave `from` and `to` out, or `incremental`',
  })
  .transform(({ from = 0, to, incremental }): VerificationScope => {
    if (incremental) return { mode: 'incremental' };
    return from === 0 && to === undefined ? { mode: 'full' } : { mode: 'range', from, to: to ?? null };
  });

const extent = {
  mode: z.enum(VERIFICATION_MODES).describe('full also where an incremental one found nothing to go on from'),
  from: z.number().describe('first entry of the run'),
  to: z.number().describe('the entry behind the last one of the run'),
};

export const verificationResult = z.object({
  valid: z.boolean(),
  ...extent,
  checked: z.number().describe('sealed entries found sound, from `from` on'),
  unsealed: z.number().describe('entries that wait for their seal'),
  archived: z.number().describe('of those checked, entries in cold storage: their seals and leaves, not their texts'),
  firstInvalidSeq: z.number().optional(),
  reason: z.string().optional(),
});

export const verificationState = verificationResult.partial().extend({
  verificationId: z.uuid(),
  workflowId: z.string().nullable().describe('null for one of the schedule'),
  status: z.enum(['requested', 'running', 'valid', 'invalid', 'cancelled', 'failed']),
  mode: extent.mode,
  from: extent.from.nullable().describe('null until it is known'),
  to: extent.to.nullable().describe('null until it is known'),
  checked: z.number(),
  total: z.number().nullable().describe('entries of the run'),
  requestedBy: z.uuid().nullable(),
  requestedAt: z.string(),
  finishedAt: z.string().nullable(),
});
nameSchemas({
  AuditParty: party,
  AuditEntry: auditEntry,
  AuditEntryList: auditLogPage,
  AuditVerificationResult: verificationResult,
  AuditVerification: verificationState,
});
