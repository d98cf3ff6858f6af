import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import type { AuditLog } from '../db/audit.ts';
import type { FrontDoorEvents } from '../db/front-door-events.ts';
import type { Database } from '../db/orm.ts';
import type { Outbox } from '../db/outbox.ts';
import type { Config } from '../platform/config.ts';
import type { GeoipPort } from '../platform/geoip.ts';
import type { PaymentPort } from '../platform/payment-port.ts';
import type { RedisConnection } from '../platform/redis.ts';
import type { Keyring } from '../security/keyring.ts';
import type { PasswordHasher } from '../security/passwords.ts';
import type { EventFeed } from './event-feed.ts';
import type { Telemetry } from './telemetry.ts';
import type { TemporalGateway } from './temporal-gateway.ts';

/** Everything the API is handed by api/main.ts; nothing below reads the environment. */
export interface ApiDeps {
  config: Config;
  log: Logger;
  db: Database;
  keyring: Keyring;
  audit: AuditLog;
  outbox: Outbox;
  gateway: TemporalGateway;
  telemetry: Telemetry;
  feed: EventFeed;
  geo: GeoipPort;
  /** Undefined where PostgreSQL counts calls. */
  redis: RedisConnection | undefined;
  /** Undefined where deposits are not paid at a provider. */
  payments: PaymentPort | undefined;
  /** Refusals that the dashboard counts. */
  events: FrontDoorEvents;
  auditKey: KeyObject;
  passwords: PasswordHasher;
  /** Whether a password is, or is hardly more than, one of the breached ones. */
  isCommonPassword: (password: string) => boolean;
}
