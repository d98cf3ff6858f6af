import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { z } from 'zod';
import { isTimeZone } from '../domain/local-time.ts';
import {
  CHECKPOINT_FIELDS,
  type CheckpointSettings,
  checkpointProblems,
  checkpointSettings,
} from './checkpoint-config.ts';
import {
  address,
  bucketName,
  bucketOf,
  decimal,
  directory,
  duration,
  type Field,
  field,
  files,
  flag,
  identifier,
  integer,
  keyBytes,
  keyPrefix,
  optional,
  origin,
  origins,
  postgresUrl,
  proxies,
  required,
  secret,
  text,
  urlOf,
} from './config-values.ts';
import { limitTable, problemsOfLimits } from './limits-config.ts';
import type { S3Settings } from './s3-client.ts';
import type { StripeSettings } from './stripe-payments.ts';

type Environment = Readonly<Record<string, string | undefined>>;
/** The same texts by field name, defaults filled in. */
type Input = Readonly<Record<string, string | undefined>>;

/** The configuration cannot be used. `problems` holds one sentence for each fault, each with what to do about it. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const NO_PROXY = ',';

/** Every variable, one line each. Durations become milliseconds, amounts stay decimal strings in the base currency. */
const FIELDS = {
  port: field('PORT', integer(0, 65535), '3000'),
  host: field('HOST', text, '127.0.0.1', '0.0.0.0'),
  publicOrigin: optional('PUBLIC_ORIGIN', origin),
  databaseUrl: required('DATABASE_URL', postgresUrl),
  databaseOwnerUrl: optional('DATABASE_OWNER_URL', postgresUrl),
  poolMax: field('DB_POOL_MAX', integer(2, 30), '30'),
  poolKept: field('DB_POOL_KEPT', integer(0, 30), '20'),
  poolAcquireTimeout: field('DB_ACQUIRE_TIMEOUT', duration, '5s'),
  poolIdleTimeout: field('DB_IDLE_TIMEOUT', duration, '30s'),
  poolStatementTimeout: field('DB_STATEMENT_TIMEOUT', duration, '15s'),
  temporalAddress: field('TEMPORAL_ADDRESS', address, '127.0.0.1:7233', null),
  temporalNamespace: field('TEMPORAL_NAMESPACE', identifier, 'default'),
  temporalTlsEnabled: field('TEMPORAL_TLS', flag, '0'),
  temporalTlsCa: optional('TEMPORAL_TLS_CA', directory),
  temporalTlsCert: optional('TEMPORAL_TLS_CERT', directory),
  temporalTlsKey: optional('TEMPORAL_TLS_KEY', directory),
  temporalTlsServerName: optional('TEMPORAL_TLS_SERVER_NAME', text),
  temporalUiUrl: optional('TEMPORAL_UI_URL', urlOf(['http:', 'https:'], 'a URL such as http://127.0.0.1:8233')),
  codecPort: optional('CODEC_PORT', integer(0, 65535)),
  taskQueuePrefix: field('TASK_QUEUE_PREFIX', identifier, 'tradeguard'),
  sessionSecret: required('SESSION_SECRET', secret),
  sessionSecretPrevious: optional('SESSION_SECRET_PREVIOUS', secret),
  encryptionPassphrase: optional('ENCRYPTION_PASSPHRASE', text.min(16, 'use at least 16 characters')),
  encryptionKey: optional(
    'ENCRYPTION_KEY',
    keyBytes((n) => n === 32, 'write exactly 32 random bytes in base64: openssl rand -base64 32'),
  ),
  auditKey: required(
    'AUDIT_KEY',
    keyBytes((n) => n >= 32, 'write at least 32 random bytes in base64: openssl rand -base64 32'),
  ),
  dataDir: field('DATA_DIR', directory, '.data'),
  backupUrl: optional('DATABASE_BACKUP_URL', postgresUrl),
  drillUrl: optional('DATABASE_DRILL_URL', postgresUrl),
  backupDirGiven: optional('BACKUP_DIR', directory),
  backupTimeZone: field('BACKUP_TIME_ZONE', text.refine(isTimeZone, 'write an IANA zone such as Europe/Berlin'), 'UTC'),
  backupRetention: field('BACKUP_RETENTION', duration, '30d'),
  backupToolsDir: optional('BACKUP_TOOLS_DIR', directory),
  backupS3Endpoint: optional('BACKUP_S3_ENDPOINT', origin),
  backupS3Bucket: optional('BACKUP_S3_BUCKET', bucketName),
  backupS3Region: field('BACKUP_S3_REGION', identifier, 'us-east-1'),
  backupS3Prefix: field('BACKUP_S3_PREFIX', keyPrefix, ''),
  backupS3AccessKeyId: optional('BACKUP_S3_ACCESS_KEY_ID', text),
  backupS3SecretAccessKey: optional('BACKUP_S3_SECRET_ACCESS_KEY', text),
  ...CHECKPOINT_FIELDS,
  smtpUrl: optional('SMTP_URL', urlOf(['smtp:', 'smtps:'], 'smtps://user:password@host:465')),
  mailFrom: field('MAIL_FROM', text, 'Tradeguard <security@tradeguard.localhost>'),
  mailDirGiven: optional('MAIL_DIR', directory),
  lockoutThreshold: field('LOCKOUT_THRESHOLD', integer(1, 100), '5'),
  lockoutWindow: field('LOCKOUT_WINDOW', duration, '15m'),
  lockoutDuration: field('LOCKOUT_DURATION', duration, '15m'),
  quarantineReviewWindow: field('QUARANTINE_REVIEW_WINDOW', duration, '24h'),
  stepUpTimeout: field('STEP_UP_TIMEOUT', duration, '15m'),
  loginStepUpTimeout: field('LOGIN_STEP_UP_TIMEOUT', duration, '10m'),
  emailCodeTtl: field('EMAIL_CODE_TTL', duration, '10m'),
  passwordResetTtl: field('PASSWORD_RESET_TTL', duration, '15m'),
  stepUpFreshness: field('STEP_UP_FRESHNESS', duration, '5m'),
  geoipDatabase: optional('GEOIP_DATABASE', files),
  signingAudience: optional(
    'SIGNING_AUDIENCE',
    text.regex(/^[\x21-\x7e]{1,200}$/, 'use up to 200 printable ASCII characters without spaces'),
  ),
  signingKeyOverlap: field('SIGNING_KEY_OVERLAP', duration, '24h'),
  securityQuestions: field('SECURITY_QUESTIONS', z.enum(['off', 'additional'], 'write off or additional'), 'off'),
  verdictTimeout: field('VERDICT_TIMEOUT', duration, '10s'),
  priceMaxAge: field('PRICE_MAX_AGE', duration, '15m'),
  rateMaxAge: field('RATE_MAX_AGE', duration, '26h'),
  limits: field('LIMITS', limitTable, '{}'),
  stripeSecretKey: optional(
    'STRIPE_SECRET_KEY',
    text.regex(/^(sk|rk)_(test|live)_[A-Za-z0-9]{8,}$/, 'write a secret or restricted key of Stripe: sk_... or rk_...'),
  ),
  stripeWebhookSecret: optional(
    'STRIPE_WEBHOOK_SECRET',
    text.regex(/^whsec_[A-Za-z0-9+/=_-]{16,}$/, "write the signing secret of the webhook's endpoint: whsec_..."),
  ),
  stripeApiBase: field('STRIPE_API_BASE', origin, 'https://api.stripe.com'),
  paymentTimeout: field('PAYMENT_TIMEOUT', duration, '24h'),
  sessionTtl: field('SESSION_TTL', duration, '12h'),
  shutdownTimeout: field('SHUTDOWN_TIMEOUT', duration, '8s'),
  baseCurrency: field('BASE_CURRENCY', text.regex(/^[A-Z]{3}$/, 'write an ISO 4217 code such as USD'), 'USD'),
  stepUpAmount: field('STEP_UP_AMOUNT', decimal, '10000'),
  reviewTwoPersonAbove: optional('REVIEW_TWO_PERSON_ABOVE', decimal),
  reviewClaimTtl: field('REVIEW_CLAIM_TTL', duration, '30m'),
  appealWindow: field('APPEAL_WINDOW', duration, '7d'),
  shadowRuleSetsMax: field('SHADOW_RULE_SETS_MAX', integer(0, 50), '10'),
  backtestReportMaxAge: field('BACKTEST_REPORT_MAX_AGE', duration, '30d'),
  breakerFactor: field('BREAKER_FACTOR', integer(1, 1_000), '5'),
  breakerMinHolds: field('BREAKER_MIN_HOLDS', integer(1, 1_000_000), '10'),
  rateLimitPerMinute: field('RATE_LIMIT_PER_MINUTE', integer(1, 1_000_000), '30'),
  rateLimitRedisUrl: optional('RATE_LIMIT_REDIS_URL', urlOf(['redis:', 'rediss:'], 'rediss://user:password@host:6379')),
  metricsToken: optional('METRICS_TOKEN', secret),
  corsOrigins: field('CORS_ORIGINS', origins, ','),
  trustedProxies: field('TRUSTED_PROXIES', proxies, 'loopback', NO_PROXY),
  registrationConfirm: field('REGISTRATION_CONFIRM', flag, '0', '1'),
  deviceBinding: field(
    'DEVICE_BINDING',
    z.enum(['required', 'optional'], 'write required or optional'),
    'optional',
    'required',
  ),
  importerEnabled: field('IMPORTER', flag, '0'),
  logLevel: field(
    'LOG_LEVEL',
    z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'write fatal, error, warn, info or debug'),
    'info',
  ),
} satisfies Record<string, Field>;

type Fields = typeof FIELDS;
type FieldName = keyof Fields;
type Parsed = { readonly [K in FieldName]: z.output<Fields[K]['schema']> };

export interface TlsFiles {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
}

/** Where the key-encryption key comes from: a passphrase (stretched with PBKDF2) or 32 raw bytes. */
export type MasterKey =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'key'; readonly key: KeyObject };

/** One variable as the documentation and the deployment files are held against it; defaults as they would be written. */
export interface ConfigurationVariable {
  readonly name: string;
  /** Undefined without one. */
  readonly fallback: string | undefined;
  /** Undefined without one: either the variable is optional, or it has to be set. */
  readonly inProduction: string | undefined;
}

/** Every variable that {@link loadConfig} reads, NODE_ENV and REPLIT_DEPLOYMENT aside. */
export function configurationVariables(): readonly ConfigurationVariable[] {
  return Object.values<Field & { fallback?: string; inProduction?: string | null }>(FIELDS).map((entry) => ({
    name: entry.env,
    fallback: entry.fallback,
    inProduction: entry.inProduction ?? undefined,
  }));
}

/** The validated configuration of one process. Durations are milliseconds; file and folder names are absolute. */
export type Config = Readonly<
  Omit<
    Parsed,
    | 'publicOrigin'
    | 'encryptionPassphrase'
    | 'encryptionKey'
    | 'mailDirGiven'
    | 'backupDirGiven'
    | `backupS3${string}`
    | keyof typeof CHECKPOINT_FIELDS
    | `stripe${string}`
    | `temporalTls${string}`
    | `pool${string}`
  > & {
    production: boolean;
    nodeEnv: 'production' | 'development' | 'test';
    publicOrigin: string;
    masterKey: MasterKey;
    mailDir: string;
    backupDir: string;
    /** Where backups are copied to; undefined without. */
    backupS3: S3Settings | undefined;
    /** Where checkpoints of the audit log are published, and who signs and witnesses them. */
    checkpoints: CheckpointSettings;
    /** Where deposits are paid; undefined without. */
    stripe: StripeSettings | undefined;
    temporalTls: TlsFiles | undefined;
    /** Times in milliseconds. 20 connections and 10 more under load, so that several processes stay below max_connections. */
    dbPool: Readonly<{
      max: number;
      kept: number;
      acquireTimeout: number;
      idleTimeout: number;
      statementTimeout: number;
    }>;
  }
>;

/** True where `NODE_ENV=production` or the hosting platform's deployment flag says that real money is at stake. */
export function isProduction(env: Environment): boolean {
  return env.NODE_ENV === 'production' || isSet(env.REPLIT_DEPLOYMENT);
}

const isSet = (value: string | undefined): boolean => value !== undefined && !/^(|0|false)$/i.test(value);

const SCHEMA = z.object(Object.fromEntries(Object.entries(FIELDS).map(([name, { schema }]) => [name, schema])));

function inputFor(env: Environment, production: boolean): Input {
  return Object.fromEntries(
    Object.entries<Field & { fallback?: string; inProduction?: string | null }>(FIELDS).map(([name, entry]) => {
      const given = env[entry.env]?.trim();
      const fallback = production ? entry.inProduction : entry.fallback;
      // An empty variable counts as unset; an empty default is a value.
      return [name, given || (fallback ?? undefined)];
    }),
  );
}

function describeIssue(issue: z.core.$ZodIssue, input: Input): string {
  const name = String(issue.path[0]) as FieldName;
  const { env } = FIELDS[name];
  if (input[name] !== undefined) return `${env}: ${issue.message}.`;
  return `${env} is not set. ${MISSING[env] ?? 'Set it.'}`;
}

const MISSING: Input = {
  DATABASE_URL: 'Set postgresql://user:password@host:5432/database.',
  SESSION_SECRET: 'Set at least 32 random characters: openssl rand -base64 48.',
  AUDIT_KEY: 'Set at least 32 random bytes and keep them outside the database: openssl rand -base64 32.',
  TEMPORAL_ADDRESS: 'Set host:port of the Temporal frontend.',
};

function productionProblems(input: Input): string[] {
  const problems: string[] = [];
  if (isSet(input.importerEnabled))
    problems.push('IMPORTER does not exist in production: it would act at the times its input names. Unset it.');
  if (!input.publicOrigin) problems.push('PUBLIC_ORIGIN is not set. Set the https origin that browsers use.');
  else if (!input.publicOrigin.startsWith('https:')) problems.push('PUBLIC_ORIGIN: production needs an https origin.');
  if (input.backupS3Endpoint?.startsWith('http:'))
    problems.push('BACKUP_S3_ENDPOINT: production needs an https address.');
  if (input.checkpointS3Endpoint?.startsWith('http:'))
    problems.push('AUDIT_CHECKPOINT_S3_ENDPOINT: production needs an https address.');
  if (/^(sk|rk)_test_/.test(input.stripeSecretKey ?? ''))
    problems.push('STRIPE_SECRET_KEY: production needs a live key; test cards must not make money.');
  if (input.stripeApiBase?.startsWith('http:')) problems.push('STRIPE_API_BASE: production needs an https address.');
  if (!input.smtpUrl && !input.mailDirGiven)
    problems.push('SMTP_URL is not set. Set it, or MAIL_DIR where mail is collected from files on purpose.');
  return problems;
}

function crossProblems(input: Input): string[] {
  const problems: string[] = [];
  if (!input.encryptionPassphrase && !input.encryptionKey)
    problems.push('ENCRYPTION_PASSPHRASE is not set. Set it, or ENCRYPTION_KEY: openssl rand -base64 32.');
  if (input.encryptionPassphrase && input.encryptionKey)
    problems.push(
      'ENCRYPTION_PASSPHRASE and ENCRYPTION_KEY are both set. Unset one: which of them counts must be plain.',
    );
  if (Boolean(input.temporalTlsCert) !== Boolean(input.temporalTlsKey))
    problems.push('TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY belong together. Set both or neither.');
  const s3 = [input.backupS3Endpoint, input.backupS3Bucket, input.backupS3AccessKeyId, input.backupS3SecretAccessKey];
  if (s3.some(Boolean) && !s3.every(Boolean))
    problems.push(
      'BACKUP_S3_ENDPOINT, BACKUP_S3_BUCKET, BACKUP_S3_ACCESS_KEY_ID and BACKUP_S3_SECRET_ACCESS_KEY belong together. Set all or none.',
    );
  problems.push(...checkpointProblems(input));
  if (Boolean(input.stripeSecretKey) !== Boolean(input.stripeWebhookSecret))
    problems.push('STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET belong together. Set both or neither.');
  return problems;
}

/** Names of before: ignored in silence, one would switch its control off. */
const RENAMED: Input = { SECOND_APPROVAL_ABOVE: 'REVIEW_TWO_PERSON_ABOVE' };

/**
 * Reads the whole configuration from the environment, once, at boot. Pure: reads no file and opens no connection.
 * @throws ConfigError that lists every problem, never the value of a variable.
 */
export function loadConfig(env: Environment): Config {
  const production = isProduction(env);
  const input = inputFor(env, production);
  const result = SCHEMA.safeParse(input);
  // Rules across fields look at the input, so that one start reports everything even when a field does not parse.
  const problems = [
    ...(result.error?.issues ?? []).map((issue) => describeIssue(issue, input)),
    ...crossProblems(input),
    ...(result.success ? problemsOfLimits(result.data as Parsed) : []),
    ...Object.entries(RENAMED).flatMap(([old, name]) => (env[old] ? [`${old} is called ${name} now. Rename it.`] : [])),
    ...(production ? productionProblems(input) : []),
  ];
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return assemble(result.data as Parsed, env, production);
}

function assemble(parsed: Parsed, env: Environment, production: boolean): Config {
  const { publicOrigin, encryptionPassphrase, encryptionKey, mailDirGiven, ...afterSecrets } = parsed;
  const { temporalTlsEnabled, temporalTlsCa, temporalTlsCert, temporalTlsKey, ...afterTls } = afterSecrets;
  const {
    temporalTlsServerName,
    poolMax,
    poolKept,
    poolAcquireTimeout,
    poolIdleTimeout,
    poolStatementTimeout,
    ...plain
  } = afterTls;
  const { backupDirGiven, backupS3Endpoint, backupS3Bucket, backupS3Region, backupS3Prefix, ...afterBackup } = plain;
  const { backupS3AccessKeyId, backupS3SecretAccessKey, ...afterS3 } = afterBackup;
  const { stripeSecretKey, stripeWebhookSecret, stripeApiBase, ...rest } = afterS3;
  const usesTls = temporalTlsEnabled || temporalTlsCa !== undefined || temporalTlsCert !== undefined;
  return {
    ...rest,
    production,
    nodeEnv: production ? 'production' : env.NODE_ENV === 'test' ? 'test' : 'development',
    publicOrigin: publicOrigin ?? `http://${plain.host.includes(':') ? `[${plain.host}]` : plain.host}:${plain.port}`,
    masterKey: encryptionKey
      ? { kind: 'key', key: encryptionKey }
      : { kind: 'passphrase', passphrase: encryptionPassphrase ?? '' },
    mailDir: mailDirGiven ?? resolve(plain.dataDir, 'mail'),
    backupDir: backupDirGiven ?? resolve(plain.dataDir, 'backups'),
    backupS3: bucketOf({
      endpoint: backupS3Endpoint,
      bucket: backupS3Bucket,
      region: backupS3Region,
      prefix: backupS3Prefix,
      accessKeyId: backupS3AccessKeyId,
      secretAccessKey: backupS3SecretAccessKey,
    }),
    checkpoints: checkpointSettings(parsed),
    stripe:
      stripeSecretKey && stripeWebhookSecret
        ? { secretKey: stripeSecretKey, webhookSecret: stripeWebhookSecret, apiBase: stripeApiBase }
        : undefined,
    temporalTls: usesTls
      ? { ca: temporalTlsCa, cert: temporalTlsCert, key: temporalTlsKey, serverName: temporalTlsServerName }
      : undefined,
    dbPool: {
      max: poolMax,
      kept: poolKept,
      acquireTimeout: poolAcquireTimeout,
      idleTimeout: poolIdleTimeout,
      statementTimeout: poolStatementTimeout,
    },
  };
}

/** The two things a migration needs, so that a deployment job may run with the owner's URL and no other secret. */
export function loadMigrationConfig(env: Environment): { ownerUrl: string; appRole: string } {
  const ownerUrl = postgresUrl.safeParse(env.DATABASE_OWNER_URL);
  if (!ownerUrl.success)
    throw new ConfigError([
      'DATABASE_OWNER_URL is not set or no URL. Set the role that owns the tables: postgresql://...',
    ]);
  const appUser = URL.canParse(env.DATABASE_URL ?? '')
    ? decodeURIComponent(new URL(env.DATABASE_URL ?? '').username)
    : '';
  return { ownerUrl: ownerUrl.data, appRole: appUser || 'tradeguard_app' };
}
