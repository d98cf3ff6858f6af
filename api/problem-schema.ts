import { z } from 'zod';
import { ERROR_MEANINGS, type ErrorCode } from '../domain/errors.ts';
import { factorMethod } from './enumerations.ts';
import { nameSchemas } from './named-schemas.ts';
import { exceededLimit } from './transaction-answers.ts';

const CODES = [...(Object.keys(ERROR_MEANINGS) as ErrorCode[]), 'internal_error'] as const;

const errorCode = z.enum(CODES).describe('A code never changes its meaning; there may be new ones.');
const invalidMember = z.object({
  in: z.enum(['body', 'query', 'path']),
  pointer: z.string().describe('RFC 6901 JSON Pointer'),
  detail: z.string(),
  position: z.int().optional().describe('Of a faulty expression: the character at which it is'),
});

/** What every refusal and error is answered with (RFC 9457); docs/architecture.md. */
export const problemSchema = z
  .object({
    type: z.string().describe('`urn:tradeguard:problem:` and the code'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('For people; its words may change'),
    code: errorCode,
    requestId: z.string().describe('Quote it when you ask us'),
    errors: z.array(invalidMember).optional().describe('What is wrong with the request'),
    methods: z.array(factorMethod).optional().describe('Factors of which one is asked for'),
    triesLeft: z.int().optional().describe('Answers that are still taken'),
    serverTime: z.int().optional().describe('Unix seconds, where a signature was refused for its time'),
    transactionId: z.uuid().optional().describe('Of the transaction that was rejected'),
    claimedBy: z.uuid().optional().describe('With already_claimed: who has taken it up'),
    claimExpiresAt: z.iso.datetime().optional().describe('With already_claimed: until when'),
    limit: exceededLimit.optional().describe('With limit_exceeded'),
    size: z.int().optional().describe('Entries that the audit log has, with range_beyond_log'),
    reason: z.string().optional().describe('With backups_unavailable: why'),
    obstacles: z.array(z.string()).optional().describe('With account_in_use: what it is in use for'),
    live: z.string().optional().describe('With live_changed: the version that is live'),
    version: z.string().optional().describe('With already_exists: the rule set that there is'),
    place: z.string().optional().describe('With field_tampered: where the altered value is'),
    erasedAt: z.string().optional().describe('With erased: when'),
    next: z.string().nullable().optional().describe('With recovery_out_of_order: the step that is next'),
  })
  .describe('RFC 9457 problem details. `code` is stable; branch on it.')
  .meta({
    examples: [
      {
        type: 'urn:tradeguard:problem:insufficient_funds',
        title: 'Unprocessable Entity',
        status: 422,
        detail: 'The account does not hold enough that is free.',
        code: 'insufficient_funds',
        requestId: '0198c0de-0000-7000-8000-000000000000',
      },
    ],
  });

nameSchemas({ ErrorCode: errorCode, InvalidMember: invalidMember, Problem: problemSchema });
