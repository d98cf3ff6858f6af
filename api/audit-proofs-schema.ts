import { z } from 'zod';
import { nameSchemas } from './named-schemas.ts';

/** Decimal without a sign or leading zeroes, as the log itself writes numbers. */
const count = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,15})$/, 'a number of entries is decimal, without leading zeroes')
  .transform(Number)
  .refine(Number.isSafeInteger, 'no log is that long');
const size = count.refine((entries) => entries > 0, 'of an empty log nothing is shown');

const proof = z.array(z.string()).describe('Hashes in the order of RFC 9162, standard base64');

export const inclusionParams = z.object({ seq: count });
export const inclusionQuery = z.strictObject({
  size: size
    .optional()
    .describe('Shown in the tree of so many entries, that of a checkpoint; all that are sealed by default'),
});
export const inclusionAnswer = z.object({
  seq: z.number(),
  size: z.number(),
  leafHash: z.string().describe('SHA-256 of a zero byte and the entry, hex'),
  root: z.string().describe('Root of the tree of that size, hex: the same as of a checkpoint of that size'),
  proof,
  entry: z
    .string()
    .nullable()
    .describe('The entry as it was hashed, canonical JSON (RFC 8785); null when it is not in the database any more'),
  archivedIn: z
    .object({ month: z.string(), manifestSha256: z.string().describe('of the archive folder, hex') })
    .nullable()
    .describe(
      'Where the entry is when its month is in cold storage. An entry of null without it was taken out: verify',
    ),
});

export const consistencyQuery = z
  .strictObject({ from: size.describe('Size of the earlier tree'), to: size.describe('Size of the later tree') })
  .refine(({ from, to }) => from <= to, { path: ['from'], error: 'from is not greater than to' });
export const consistencyAnswer = z.object({
  from: z.number(),
  to: z.number(),
  fromRoot: z.string().describe('Root of the earlier tree, hex'),
  toRoot: z.string().describe('Root of the later tree, hex'),
  proof,
});
nameSchemas({ InclusionProof: inclusionAnswer, ConsistencyProof: consistencyAnswer });
