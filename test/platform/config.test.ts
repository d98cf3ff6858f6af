import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig, loadMigrationConfig } from '../../platform/config.ts';
import { parseDuration } from '../../platform/config-values.ts';

const base64Key = randomBytes(32).toString('base64');
const development = {
  DATABASE_URL: 'postgresql://app:pw@127.0.0.1:5432/tradeguard',
  SESSION_SECRET: 's'.repeat(32),
  ENCRYPTION_PASSPHRASE: 'a passphrase of some length',
  AUDIT_KEY: base64Key,
};
const production = {
  ...development,
  NODE_ENV: 'production',
  TEMPORAL_ADDRESS: 'temporal.internal:7233',
  PUBLIC_ORIGIN: 'https://trade.example.com',
  SMTP_URL: 'smtps://user:pw@mail.example.com:465',
};

function problemsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['0s', undefined],
    ['15', undefined],
    ['1.5h', undefined],
    ['-5m', undefined],
    [' 15m', undefined],
    ['15 m', undefined],
    ['', undefined],
  ])('%j is %j ms', (text, ms) => expect(parseDuration(text)).toBe(ms));
});

describe('defaults are the customer’s values', () => {
  test.each([
    ['lockoutThreshold', 5],
    ['lockoutWindow', 15 * 60_000],
    ['lockoutDuration', 15 * 60_000],
    ['quarantineReviewWindow', 24 * 3_600_000],
    ['stepUpTimeout', 15 * 60_000],
    ['loginStepUpTimeout', 10 * 60_000],
    ['verdictTimeout', 10_000],
    ['priceMaxAge', 15 * 60_000],
    ['rateMaxAge', 26 * 3_600_000],
    ['stepUpAmount', '10000'],
    ['baseCurrency', 'USD'],
    ['rateLimitPerMinute', 30],
    ['reviewTwoPersonAbove', undefined],
    ['reviewClaimTtl', 30 * 60_000],
    ['appealWindow', 7 * 86_400_000],
    ['taskQueuePrefix', 'tradeguard'],
    ['host', '127.0.0.1'],
    ['trustedProxies', ['loopback']],
    ['registrationConfirm', false],
    ['production', false],
    ['publicOrigin', 'http://127.0.0.1:3000'],
  ] as const)('%s', (name, value) => expect(loadConfig(development)[name]).toEqual(value));

  test.each([
    ['host', '0.0.0.0'],
    ['trustedProxies', []],
    ['registrationConfirm', true],
    ['production', true],
    ['nodeEnv', 'production'],
  ] as const)('in production: %s', (name, value) => expect(loadConfig(production)[name]).toEqual(value));

  test('the pool never exceeds 30 connections', () => {
    expect(loadConfig(development).dbPool.max).toBe(30);
    expect(problemsOf({ ...development, DB_POOL_MAX: '31' })).toEqual([
      'DB_POOL_MAX: write a whole number from 2 to 30.',
    ]);
  });

  test('a variable under the name that it had before is refused with its new one', () => {
    expect(problemsOf({ ...development, SECOND_APPROVAL_ABOVE: '500' })).toEqual([
      'SECOND_APPROVAL_ABOVE is called REVIEW_TWO_PERSON_ABOVE now. Rename it.',
    ]);
    expect(loadConfig({ ...development, REVIEW_TWO_PERSON_ABOVE: '500' }).reviewTwoPersonAbove).toBe('500');
  });

  test('an empty variable counts as unset', () => {
    expect(loadConfig({ ...development, LOCKOUT_WINDOW: '  ' }).lockoutWindow).toBe(15 * 60_000);
  });
});

describe('production is refused with a reason for each thing that is missing', () => {
  test.each([
    ['DATABASE_URL', /^DATABASE_URL is not set/],
    ['SESSION_SECRET', /^SESSION_SECRET is not set/],
    ['AUDIT_KEY', /^AUDIT_KEY is not set/],
    ['ENCRYPTION_PASSPHRASE', /^ENCRYPTION_PASSPHRASE is not set/],
    ['TEMPORAL_ADDRESS', /^TEMPORAL_ADDRESS is not set/],
    ['PUBLIC_ORIGIN', /^PUBLIC_ORIGIN is not set/],
    ['SMTP_URL', /^SMTP_URL is not set/],
  ])('%s', (name, problem) => {
    const problems = problemsOf({ ...production, [name]: undefined });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });

  test('all faults are told at once', () => {
    expect(problemsOf({ NODE_ENV: 'production', LOCKOUT_WINDOW: '15', IMPORTER: '1' })).toHaveLength(9);
  });

  test('the hosting platform’s deployment flag means production, too', () => {
    expect(loadConfig({ ...production, NODE_ENV: undefined, REPLIT_DEPLOYMENT: '1' }).production).toBe(true);
    expect(problemsOf({ REPLIT_DEPLOYMENT: '1' }).length).toBeGreaterThan(5);
  });

  test('the importer does not start', () => {
    expect(problemsOf({ ...production, IMPORTER: '1' })).toEqual([expect.stringMatching(/^IMPORTER does not exist/)]);
    expect(loadConfig({ ...development, IMPORTER: '1' }).importerEnabled).toBe(true);
  });
});

describe('values that cannot be meant are refused', () => {
  test.each([
    ['PORT', '65536'],
    ['PORT', '3e3'],
    ['LOCKOUT_DURATION', '15'],
    ['SESSION_SECRET', 'short'],
    ['SESSION_SECRET_PREVIOUS', 'short'],
    ['ENCRYPTION_PASSPHRASE', 'short'],
    ['AUDIT_KEY', randomBytes(31).toString('base64')],
    ['AUDIT_KEY', 'no base64 at all, but a text that is long enough!'],
    ['DATABASE_URL', 'mysql://localhost/x'],
    ['TEMPORAL_ADDRESS', 'http://localhost:7233'],
    ['STEP_UP_AMOUNT', '1e4'],
    ['REVIEW_TWO_PERSON_ABOVE', '-1'],
    ['BASE_CURRENCY', 'usd'],
    ['TRUSTED_PROXIES', 'proxy.example.com'],
    ['LOG_LEVEL', 'loud'],
    ['REGISTRATION_CONFIRM', 'maybe'],
    ['PUBLIC_ORIGIN', 'trade.example.com'],
    ['TEMPORAL_TLS_CERT', '/etc/tls/client.pem'],
  ])('%s=%s', (name, value) => {
    const problems = problemsOf({ ...development, [name]: value });
    expect(problems).toEqual([expect.stringContaining(name)]);
    expect(problems[0]).not.toContain('[object');
  });

  test('the message never repeats a secret', () => {
    const env = { ...development, SESSION_SECRET: 'hunter2', AUDIT_KEY: 'hunter3', DATABASE_URL: 'x://u:hunter4@h/d' };
    expect(problemsOf(env).join()).not.toMatch(/hunter/);
  });
});

describe('the key-encryption key', () => {
  test('comes from a passphrase or from 32 raw bytes, not from both', () => {
    expect(loadConfig(development).masterKey).toEqual({
      kind: 'passphrase',
      passphrase: 'a passphrase of some length',
    });
    const key = loadConfig({ ...development, ENCRYPTION_PASSPHRASE: undefined, ENCRYPTION_KEY: base64Key }).masterKey;
    expect(key.kind === 'key' && key.key.export().toString('base64')).toBe(base64Key);
    expect(problemsOf({ ...development, ENCRYPTION_KEY: base64Key })).toEqual([expect.stringContaining('both set')]);
    expect(problemsOf({ ...development, ENCRYPTION_PASSPHRASE: '', ENCRYPTION_KEY: 'AAAA' })).toHaveLength(1);
  });

  test('raw keys do not show in JSON', () => {
    expect(JSON.stringify(loadConfig(development).auditKey)).toBe('{}');
  });
});

describe('migrations need the owner’s URL alone', () => {
  test('the application’s role is read from DATABASE_URL', () => {
    const ownerUrl = 'postgresql://owner:pw@db/tradeguard';
    expect(loadMigrationConfig({ DATABASE_OWNER_URL: ownerUrl })).toEqual({ ownerUrl, appRole: 'tradeguard_app' });
    const env = { DATABASE_OWNER_URL: ownerUrl, DATABASE_URL: 'postgresql://shop:pw@db/tradeguard' };
    expect(loadMigrationConfig(env).appRole).toBe('shop');
    expect(() => loadMigrationConfig({})).toThrow(ConfigError);
  });
});

describe('LIMITS', () => {
  const given = (limits: string, more = {}) => problemsOf({ ...development, ...more, LIMITS: limits });

  test('change what they name and leave the rest', () => {
    const { basic, standard } = loadConfig({
      ...development,
      LIMITS: '{"basic": {"money_out": {"rolling_24h": "700", "rolling_30d": null}}}',
    }).limits;
    expect(basic.money_out).toEqual({ per_transaction: '5000', rolling_24h: '700', rolling_30d: null });
    expect(basic.deposit.rolling_24h).toBe('20000');
    expect(standard.money_out.rolling_24h).toBe('2000000');
  });

  test.each([
    ['nope', /^LIMITS: write JSON such as \{/],
    ['[]', /^LIMITS: write JSON such as \{/],
    ['{"gold": {}}', /^LIMITS: .*gold/],
    ['{"basic": {"money_out": {"per_week": "1"}}}', /^LIMITS: basic\.money_out.*per_week/],
    ['{"basic": {"trade": {"rolling_24h": 5}}}', /^LIMITS: basic\.trade\.rolling_24h: /],
    ['{"basic": {"trade": {"rolling_24h": "-5"}}}', /^LIMITS: basic\.trade\.rolling_24h: write a decimal amount/],
    ['{"basic": {"trade": {"rolling_24h": "0"}}}', /^LIMITS: basic\.trade\.rolling_24h: .*above zero/],
    ['{"basic": {"trade": {"rolling_24h": "5.123"}}}', /^LIMITS: basic\.trade\.rolling_24h: .*2 fraction digits/],
  ])('%s is refused and says where', (limits, message) => {
    expect(given(limits)).toEqual([expect.stringMatching(message)]);
  });

  test('are amounts of the base currency, which must be a known one', () => {
    expect(given('{"basic": {"trade": {"rolling_24h": "5.5"}}}', { BASE_CURRENCY: 'JPY' })).toHaveLength(1);
    expect(given('{}', { BASE_CURRENCY: 'JPY' })).toEqual([]);
    expect(given('{}', { BASE_CURRENCY: 'XXX' })).toEqual([expect.stringMatching(/^BASE_CURRENCY: XXX/)]);
  });
});
