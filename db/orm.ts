import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool, PoolClient } from 'pg';
import { deferStatements } from './deferred-statements.ts';
import { entities } from './entities/index.ts';
import { prepareStatements } from './prepared-statements.ts';
import type { Tx } from './sql.ts';

export interface OrmOptions {
  databaseUrl: string;
  /** At most this many connections (customer row C10: 30). */
  poolMax: number;
  applicationName: string;
  limits?: PoolLimits;
  log?: (message: string) => void;
}

/** Times in milliseconds (customer row C10). */
export interface PoolLimits {
  /** Connections that stay open once they were needed; those above are closed when they fall idle. */
  readonly kept: number;
  /** How long to wait for a connection. */
  readonly acquireTimeout: number;
  /** When an unused connection above `kept` is closed. */
  readonly idleTimeout: number;
  readonly statementTimeout: number;
}

const LIMITS: PoolLimits = { kept: 0, acquireTimeout: 5_000, idleTimeout: 30_000, statementTimeout: 15_000 };

/**
 * Connects MikroORM as the application's role. Statements are limited to 15 s unless told otherwise, lock waits to 2 s
 * (retryable), and idle transactions to 30 s, so that a stuck peer cannot hold the pool.
 */
export async function createOrm(options: OrmOptions) {
  const { kept, acquireTimeout, idleTimeout, statementTimeout } = options.limits ?? LIMITS;
  let pool: Pool | undefined;
  const orm = await MikroORM.init({
    clientUrl: options.databaseUrl,
    entities,
    pool: { min: Math.min(kept, options.poolMax), max: options.poolMax, idleTimeoutMillis: idleTimeout },
    driverOptions: {
      application_name: options.applicationName,
      connectionTimeoutMillis: acquireTimeout,
      keepAlive: true,
      pipeline: true,
      onPoolCreated(created: Pool) {
        pool = created;
        giveBackLostConnections(created);
        prepareStatements(created);
        deferStatements(created);
      },
      options: `-c lock_timeout=2000 -c statement_timeout=${statementTimeout} -c idle_in_transaction_session_timeout=30000 -c timezone=UTC`,
    },
    allowGlobalContext: false,
    logger: options.log ?? (() => {}),
    debug: false,
  });
  return {
    orm,
    /** For connections of one's own. Holds the password: never to be logged. */
    databaseUrl: options.databaseUrl,
    /** A fork for one request or one activity attempt; takes a connection only while a statement runs. */
    fork: (): Tx => orm.em.fork(),
    /** Runs `work` in one READ COMMITTED transaction on a fork of its own. */
    transaction: <T>(work: (tx: Tx) => Promise<T>): Promise<T> => orm.em.fork().transactional(work),
    /** Connections of this process, and callers that wait for one. */
    pool: () => ({
      max: options.poolMax,
      total: pool?.totalCount ?? 0,
      idle: pool?.idleCount ?? 0,
      waiting: pool?.waitingCount ?? 0,
    }),
    close: () => orm.close(true),
  };
}

/**
 * A transaction whose connection broke cannot be rolled back, and the query builder gives a connection back only after a
 * rollback: without this, every session that the server ended would take a place of the pool for ever.
 */
function giveBackLostConnections(pool: Pool): void {
  pool.on('connect', (client) => client.once('end', () => setTimeout(giveBack, GIVE_BACK_AFTER_MS, client).unref()));
}

/** Long enough for its holder, whose statement failed at once, to give it back himself. */
const GIVE_BACK_AFTER_MS = 500;

function giveBack(client: PoolClient): void {
  try {
    client.release(true);
  } catch {
    // It was given back already.
  }
}

/** The database as the rest of the program sees it. */
export type Database = Awaited<ReturnType<typeof createOrm>>;
