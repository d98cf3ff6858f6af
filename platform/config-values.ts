import { createSecretKey, type KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import proxyAddr from 'proxy-addr';
import { z } from 'zod';
import type { S3Settings } from './s3-client.ts';

/**
 * How the values of environment variables are written, each kind with a sentence for who wrote it otherwise. They start from
 * text, and never repeat the value: it may be a secret.
 */

/** One variable: its name and how its text is read. */
export interface Field<S extends z.ZodType = z.ZodType> {
  readonly env: string;
  readonly schema: S;
}

/** A variable with its default, which may differ in production: null means that it must be set there. */
export function field<S extends z.ZodType>(
  env: string,
  schema: S,
  fallback: string,
  inProduction: string | null = fallback,
) {
  return { env, schema, fallback, inProduction };
}
export const optional = <S extends z.ZodType>(env: string, schema: S) => ({ env, schema: schema.optional() });
export const required = <S extends z.ZodType>(env: string, schema: S) => ({ env, schema });

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Parses `90s`, `15m`, `24h`, `7d` or `500ms` to milliseconds; undefined for anything else, zero included. */
export function parseDuration(text: string): number | undefined {
  const match = /^([1-9]\d{0,8})(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : undefined;
}

export const text = z.string();
export const duration = text.transform((value, ctx) => {
  const ms = parseDuration(value);
  if (ms !== undefined) return ms;
  ctx.addIssue('write a duration above zero as 90s, 15m, 24h or 7d');
  return z.NEVER;
});
export const integer = (min: number, max: number) =>
  text
    .regex(/^\d{1,9}$/, `write a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((n) => n >= min && n <= max, `write a whole number from ${min} to ${max}`);
export const flag = text
  .regex(/^(1|0|true|false|on|off)$/i, 'write 1 or 0')
  .transform((value) => /^(1|true|on)$/i.test(value));
export const decimal = text.regex(
  /^(0|[1-9]\d{0,14})(\.\d{1,8})?$/,
  'write a decimal amount, for instance 10000 or 2500.50',
);
export const address = text.regex(/^[^\s/:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i, 'write host:port');
export const urlOf = (protocols: readonly string[], example: string) =>
  text.refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), `write ${example}`);
export const postgresUrl = urlOf(['postgresql:', 'postgres:'], 'postgresql://user:password@host:5432/database');
export const origin = urlOf(['http:', 'https:'], 'an origin such as https://trade.example.com').transform(
  (value) => new URL(value).origin,
);
export const origins = text.transform((value, ctx) => {
  const list = value.split(',').flatMap((part) => part.trim() || []);
  if (list.every((one) => URL.canParse(one) && new URL(one).origin === one)) return list;
  ctx.addIssue('write origins separated by commas, for instance https://app.example.com');
  return z.NEVER;
});
export const identifier = text.regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
  'use letters, digits, dot, dash and underscore',
);
export const directory = text.transform((value) => resolve(value));
export const secret = text.min(32, 'use at least 32 characters, for instance from: openssl rand -base64 48');

/** Secret bytes are kept as a KeyObject: it is fast to reuse, and neither a log line nor JSON.stringify shows it. */
export const keyBytes = (accepts: (length: number) => boolean, how: string) =>
  text.transform((value, ctx): KeyObject => {
    const bytes = Buffer.from(value, 'base64');
    if (/^[A-Za-z0-9+/_-]+={0,2}$/.test(value) && accepts(bytes.length)) return createSecretKey(bytes);
    ctx.addIssue(how);
    return z.NEVER;
  });

export const proxies = text.transform((value, ctx) => {
  const list = value.split(',').flatMap((part) => part.trim() || []);
  try {
    proxyAddr.compile(list);
    return list;
  } catch {
    ctx.addIssue('write addresses or networks separated by commas, for instance 10.0.0.0/8,loopback');
    return z.NEVER;
  }
});

export const files = text.transform((value) =>
  value.split(',').flatMap((part) => (part.trim() ? [resolve(part.trim())] : [])),
);

/** The name of a bucket, and the folders in it. */
export const bucketName = text.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'write a bucket name');
export const keyPrefix = text.regex(/^([a-z0-9._-]+\/)*$/, 'write folder names, each with a / behind');

/** A bucket of which everything that belongs together is set; undefined otherwise. */
export function bucketOf(
  given: Pick<S3Settings, 'region' | 'prefix'> & { readonly [K in keyof S3Settings]: string | undefined },
): S3Settings | undefined {
  const { endpoint, bucket, accessKeyId, secretAccessKey } = given;
  if (!endpoint || !bucket || !accessKeyId || !secretAccessKey) return undefined;
  return { endpoint, bucket, region: given.region, prefix: given.prefix, accessKeyId, secretAccessKey };
}
