import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { createAuditLog } from '../db/audit.ts';
import { openKeyring } from '../db/keyring.ts';
import { followKeyring } from '../db/keyring-follower.ts';
import { maintainNoncePartitions } from '../db/nonces.ts';
import { createOrm } from '../db/orm.ts';
import { createOutbox } from '../db/outbox.ts';
import { type Config, ConfigError, loadConfig } from '../platform/config.ts';
import { openGeoip } from '../platform/geoip.ts';
import { createLogger } from '../platform/logger.ts';
import { openPayments } from '../platform/payments.ts';
import { persist } from '../platform/persist.ts';
import { openRedis } from '../platform/redis.ts';
import { createShutdown } from '../platform/shutdown.ts';
import { loadCommonPasswords } from '../security/common-passwords.ts';
import { type Keyring, KeyringError } from '../security/keyring.ts';
import { createPasswordHasher } from '../security/passwords.ts';
import { createCodecServer } from '../temporal/codec-server.ts';
import { createTemporalClient } from '../temporal/connection.ts';
import { createEncryptedDataConverter } from '../temporal/data-converter.ts';
import { createPayloadCodec } from '../temporal/payload-codec.ts';
import { readTls } from '../temporal/tls.ts';
import { taskQueues } from '../workflows/contract.ts';
import { createApp } from './app.ts';
import { createCodecAccess } from './codec-access.ts';
import { countDecisions } from './counted-gateway.ts';
import { createDeferredKeyring } from './deferred-keyring.ts';
import { createEventFeed } from './event-feed.ts';
import { createGuards } from './guards.ts';
import { createRoutes } from './routes.ts';
import { createTelemetry } from './telemetry.ts';
import { createTemporalGateway } from './temporal-gateway.ts';

const KEEP_ALIVE_MS = 75_000;
const SWEEP_MS = 50;

/**
 * Listens, also while the database or Temporal is down: until they answer, requests that need them get 503.
 *
 * @returns `ready` resolves when the keys are open, and rejects when they are not the ones the data was stored under
 */
export async function startApi({ config: given, log }: { config: Config; log: Logger }) {
  // Longer than the load balancers in front, which otherwise send a request into a connection that is just being closed.
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  let underWay = 0;
  server.on('request', (_request, response) => {
    underWay += 1;
    response.once('close', () => {
      underWay -= 1;
    });
  });
  const url = await listen(server, given.port, given.host);
  // With port 0 the system chooses, and only now is the address known that browsers will send as Origin.
  const config: Config = given.port === 0 && !given.production ? { ...given, publicOrigin: url } : given;

  const db = await createOrm({
    databaseUrl: config.databaseUrl,
    poolMax: config.dbPool.max,
    limits: config.dbPool,
    applicationName: 'tradeguard-api',
  });
  const { keyring, open } = createDeferredKeyring();
  const temporal = createTemporalClient({
    address: config.temporalAddress,
    namespace: config.temporalNamespace,
    tls: readTls(config.temporalTls),
    identity: `api:${process.pid}@${hostname()}`,
    dataConverter: createEncryptedDataConverter(keyring, 'refuse'),
  });
  const audit = createAuditLog({ auditKey: config.auditKey });
  const geo = await openGeoip({
    // Tests have places of their own, and no use for 130 MB of others.
    files: config.geoipDatabase ?? (config.nodeEnv === 'test' ? [] : undefined),
    documentationPlaces: !config.production,
    log,
  });
  const feed = createEventFeed({ db, log });
  const telemetry = createTelemetry({ db, log, streams: feed.streams });
  const redis = config.rateLimitRedisUrl === undefined ? undefined : openRedis({ url: config.rateLimitRedisUrl, log });
  const guards = createGuards({ config, log, db, keyring, audit, redis });
  const routes = createRoutes({
    config,
    log,
    db,
    keyring,
    audit,
    auditKey: config.auditKey,
    outbox: createOutbox({ keyring }),
    gateway: countDecisions(
      createTemporalGateway({
        temporal,
        queues: taskQueues(config.taskQueuePrefix),
        verdictTimeoutMs: config.verdictTimeout,
      }),
      telemetry,
    ),
    telemetry,
    feed,
    geo,
    redis,
    passwords: createPasswordHasher(),
    isCommonPassword: loadCommonPasswords(),
    payments: await openPayments(config.stripe),
    events: guards.events,
  });
  server.on('request', createApp({ log, routes, telemetry, ...guards }));
  // Only where the address of the Temporal UI is known: its pages are the only ones that may ask.
  const codecServer =
    config.codecPort === undefined || config.temporalUiUrl === undefined
      ? undefined
      : createCodecServer({
          codec: createPayloadCodec(keyring, { unencoded: 'pass' }),
          uiOrigin: new URL(config.temporalUiUrl).origin,
          log,
          ...createCodecAccess({ db, audit, ...guards }),
        });
  const codecUrl = await codecServer?.listen(config.codecPort ?? 0);

  const closing = new AbortController();
  let following: Promise<void> | undefined;
  async function openDatabase(): Promise<Keyring> {
    // After a night without a worker there is no partition for today, and the first signed request would be a stray.
    const { strays } = await maintainNoncePartitions(db.fork());
    if (strays > 0) log.error({ strays }, 'nonces of signed requests found no partition: no worker maintains them');
    return openKeyring(db, config);
  }

  async function openKeys(): Promise<void> {
    const opened = await persist(openDatabase, {
      name: 'keyring',
      log,
      signal: closing.signal,
      isFatal: (error) => error instanceof KeyringError,
    });
    if (opened === undefined) return;
    open(opened);
    following = followKeyring({ db, keyring: opened, log, signal: closing.signal });
  }

  return {
    url,
    /** Of the codec server, where one runs. */
    codecUrl,
    config,
    ready: openKeys(),
    /** Stops listening, answers what is under way, then closes every connection. */
    async close(): Promise<void> {
      closing.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      await feed.close();
      // What carries no request is not waited for: kept for the next one, or opened and never used.
      const sweep = setInterval(() => {
        if (underWay === 0) server.closeAllConnections();
      }, SWEEP_MS);
      await closed;
      clearInterval(sweep);
      await following;
      await telemetry.close();
      redis?.close();
      await temporal.close();
      await db.close();
    },
  };
}

export type RunningApi = Awaited<ReturnType<typeof startApi>>;

function listen(server: Server, port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address() as AddressInfo;
      const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      resolve(`http://${name === '0.0.0.0' || name === '[::]' ? '127.0.0.1' : name}:${address.port}`);
    });
  });
}

/** Runs one API process, configured by the environment, until a signal. @throws ConfigError, KeyringError */
export async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const log = createLogger({ level: config.logLevel, name: 'api' });
  const shutdown = createShutdown({ log, timeout: config.shutdownTimeout + 2_000 });
  shutdown.listen();
  const api = await startApi({ config, log });
  shutdown.add('api', api.close);
  log.info({ url: api.url }, 'listening');
  await api.ready;
  process.send?.({ type: 'ready', url: api.url });
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    const known = error instanceof ConfigError || error instanceof KeyringError;
    console.error(known ? error.message : error);
    process.exit(1);
  });
}
