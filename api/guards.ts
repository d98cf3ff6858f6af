import type { Logger } from 'pino';
import type { AuditLog } from '../db/audit.ts';
import { createFrontDoorEvents } from '../db/front-door-events.ts';
import type { Database } from '../db/orm.ts';
import type { Config } from '../platform/config.ts';
import type { RedisConnection } from '../platform/redis.ts';
import type { Keyring } from '../security/keyring.ts';
import { createAuthenticate } from './middleware/authenticate.ts';
import { createRateLimit } from './middleware/rate-limit.ts';
import { createRequestFacts } from './middleware/request-facts.ts';
import { createSignatureCheck } from './middleware/signature.ts';
import { createTransportCheck } from './middleware/transport.ts';

/** Everything that stands before a handler, made from the configuration. */
export function createGuards(deps: {
  config: Config;
  log: Logger;
  db: Database;
  keyring: Keyring;
  audit: AuditLog;
  redis?: RedisConnection | undefined;
}) {
  const { config, log, db, keyring, audit, redis } = deps;
  const cookieName = config.production ? '__Host-tradeguard' : 'tradeguard';
  const events = createFrontDoorEvents({ db, onError: (err) => log.warn({ err }, 'a refusal could not be recorded') });
  return {
    production: config.production,
    corsOrigins: config.corsOrigins,
    cookieName,
    events,
    requestFacts: createRequestFacts({ trustedProxies: config.trustedProxies }),
    transport: createTransportCheck(config),
    rateLimit: createRateLimit({ db, keyring, events, perMinute: config.rateLimitPerMinute, redis }),
    authenticate: createAuthenticate({
      db,
      keyring,
      cookieName,
      publicOrigin: config.publicOrigin,
      stepUpFreshnessMs: config.stepUpFreshness,
      metricsToken: config.metricsToken,
    }),
    signature: createSignatureCheck({
      db,
      keyring,
      audit,
      events,
      audience: config.signingAudience ?? config.publicOrigin,
    }),
  };
}

export type Guards = ReturnType<typeof createGuards>;
