import { z } from 'zod';
import type { AuditCursor } from '../db/audit-search.ts';
import { DomainError } from '../domain/errors.ts';

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
    .optional(),
  actor: id.optional(),
  subject: id.optional(),
  from: time.optional(),
  to: time.optional(),
  limit: z
    .string()
    .regex(/^\d{1,3}$/)
    .transform(Number)
    .refine((n) => n >= 1 && n <= 200, 'a page has 1 to 200 entries')
    .default(50),
  cursor: z.string().max(200).optional(),
});

const party = z.object({ kind: z.string(), id: z.string().optional() });

export const auditLogPage = z.object({
  items: z.array(
    z.object({
      id: z.uuid(),
      at: z.string().describe('RFC 3339 with microseconds'),
      action: z.string(),
      actor: party,
      subject: party,
      outcome: z.enum(['success', 'failure', 'denied']),
      ip: z.string().nullable(),
      userAgent: z.string().nullable(),
      requestId: z.string().nullable(),
      workflowId: z.string().nullable(),
      details: z.record(z.string(), z.unknown()),
      v: z.literal(1),
      seq: z.number().nullable().describe('place in the chain; null until it is sealed'),
      hash: z.string().nullable().describe('hex SHA-256 of the previous hash and the entry'),
    }),
  ),
  nextCursor: z.string().nullable(),
});

export const verificationParams = z.object({ id: z.uuid() });

export const verificationResult = z.object({
  valid: z.boolean(),
  checked: z.number().describe('sealed entries found sound, from the first on'),
  unsealed: z.number().describe('entries that wait for their seal'),
  firstInvalidSeq: z.number().optional(),
  reason: z.string().optional(),
});

export const verificationState = verificationResult.partial().extend({
  verificationId: z.uuid(),
  status: z.enum(['requested', 'running', 'valid', 'invalid', 'cancelled', 'failed']),
  checked: z.number(),
  total: z.number().nullable(),
  requestedBy: z.uuid().nullable(),
  requestedAt: z.string(),
  finishedAt: z.string().nullable(),
});

const cursorContent = z.tuple([z.iso.datetime({ precision: 6 }), z.uuid()]);

export function encodeCursor({ at, id }: AuditCursor): string {
  return Buffer.from(JSON.stringify([at, id])).toString('base64url');
}

/** @throws DomainError `invalid_cursor` */
export function decodeCursor(text: string): AuditCursor {
  try {
    const [at, id] = cursorContent.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return { at, id };
  } catch {
    throw new DomainError('invalid_cursor', 'The cursor is not one that this list gave out.');
  }
}
