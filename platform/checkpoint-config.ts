import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import type { z } from 'zod';
import {
  bucketName,
  bucketOf,
  directory,
  duration,
  field,
  identifier,
  keyBytes,
  keyPrefix,
  optional,
  origin,
  text,
  urlOf,
} from './config-values.ts';
import type { S3Settings } from './s3-client.ts';

const VERIFIER_KEY = /^[^\s+]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{40,200}={0,2}$/;
const verifierKey = text.regex(VERIFIER_KEY, 'write a verifier key: name+hash+base64');

/** The variables of checkpoints, one line each. */
export const CHECKPOINT_FIELDS = {
  checkpointDirGiven: optional('AUDIT_CHECKPOINT_DIR', directory),
  checkpointKey: optional(
    'AUDIT_CHECKPOINT_KEY',
    keyBytes((n) => n === 32, 'write exactly 32 random bytes in base64: openssl rand -base64 32'),
  ),
  checkpointRetiredKeys: field(
    'AUDIT_CHECKPOINT_RETIRED_KEYS',
    text.transform((value, ctx) => {
      const keys = value.split(',').flatMap((part) => part.trim() || []);
      if (!keys.every((key) => VERIFIER_KEY.test(key))) ctx.addIssue('write verifier keys separated by commas');
      return keys;
    }),
    ',',
  ),
  checkpointS3Endpoint: optional('AUDIT_CHECKPOINT_S3_ENDPOINT', origin),
  checkpointS3Bucket: optional('AUDIT_CHECKPOINT_S3_BUCKET', bucketName),
  checkpointS3Region: field('AUDIT_CHECKPOINT_S3_REGION', identifier, 'us-east-1'),
  checkpointS3Prefix: field('AUDIT_CHECKPOINT_S3_PREFIX', keyPrefix, ''),
  checkpointS3AccessKeyId: optional('AUDIT_CHECKPOINT_S3_ACCESS_KEY_ID', text),
  checkpointS3SecretAccessKey: optional('AUDIT_CHECKPOINT_S3_SECRET_ACCESS_KEY', text),
  checkpointS3Retention: field('AUDIT_CHECKPOINT_S3_RETENTION', duration, '3650d'),
  witnessUrl: optional(
    'AUDIT_WITNESS_URL',
    urlOf(['http:', 'https:'], 'a URL such as https://witness.example.com/tlog'),
  ),
  witnessKey: optional('AUDIT_WITNESS_KEY', verifierKey),
};

type Fields = typeof CHECKPOINT_FIELDS;
type Parsed = { readonly [K in keyof Fields]: z.output<Fields[K]['schema']> };

export interface CheckpointSettings {
  /** Folder, absolute. */
  readonly dir: string;
  /** A bucket with object lock; `retention` is milliseconds. Undefined without. */
  readonly bucket: (S3Settings & { readonly retention: number }) | undefined;
  /** Undefined without. `key` is the witness's verifier key. */
  readonly witness: { readonly url: string; readonly key: string } | undefined;
  /** Seed of the signing key, 32 bytes; undefined where it is derived from AUDIT_KEY. */
  readonly key: KeyObject | undefined;
  /** Verifier keys that signed earlier checkpoints. */
  readonly retiredKeys: readonly string[];
}

/** Rules across the fields: one sentence for each that is broken. */
export function checkpointProblems(input: Readonly<Record<string, string | undefined>>): string[] {
  const problems: string[] = [];
  const s3 = [
    input.checkpointS3Endpoint,
    input.checkpointS3Bucket,
    input.checkpointS3AccessKeyId,
    input.checkpointS3SecretAccessKey,
  ];
  if (s3.some(Boolean) && !s3.every(Boolean))
    problems.push(
      'AUDIT_CHECKPOINT_S3_ENDPOINT, AUDIT_CHECKPOINT_S3_BUCKET, AUDIT_CHECKPOINT_S3_ACCESS_KEY_ID and AUDIT_CHECKPOINT_S3_SECRET_ACCESS_KEY belong together. Set all or none.',
    );
  if (Boolean(input.witnessUrl) !== Boolean(input.witnessKey))
    problems.push('AUDIT_WITNESS_URL and AUDIT_WITNESS_KEY belong together. Set both or neither.');
  return problems;
}

export function checkpointSettings(parsed: Parsed & { readonly dataDir: string }): CheckpointSettings {
  const bucket = bucketOf({
    endpoint: parsed.checkpointS3Endpoint,
    bucket: parsed.checkpointS3Bucket,
    region: parsed.checkpointS3Region,
    prefix: parsed.checkpointS3Prefix,
    accessKeyId: parsed.checkpointS3AccessKeyId,
    secretAccessKey: parsed.checkpointS3SecretAccessKey,
  });
  const { witnessUrl, witnessKey } = parsed;
  return {
    dir: parsed.checkpointDirGiven ?? resolve(parsed.dataDir, 'checkpoints'),
    bucket: bucket && { ...bucket, retention: parsed.checkpointS3Retention },
    witness: witnessUrl && witnessKey ? { url: witnessUrl, key: witnessKey } : undefined,
    key: parsed.checkpointKey,
    retiredKeys: parsed.checkpointRetiredKeys,
  };
}
