import type { KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { maintainAuditMonths } from '../db/audit-months.ts';
import { createChainSealer } from '../db/audit-seal.ts';

/** How often the sealer at work looks for entries. */
const POLL_MS = 50;
/** The same when many came: sealed together they cost less, and their lag stays far below the 250 ms that are promised. */
const POLL_WITH_MANY_MS = 100;
const MANY = 100;
/** How often the others look whether an entry stood unsealed through two looks: a failed leader costs half a second. */
const STANDBY_POLL_MS = 250;
/** How often the tables of the months to come are looked after. */
const MONTHS_EVERY_MS = 3_600_000;
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 2_000;

export interface SealerOptions {
  databaseUrl: string;
  auditKey: KeyObject;
  log: Logger;
  /** Entries a transaction at most; smaller in tests. */
  batchSize?: number;
}

export interface SealerStatus {
  role: 'active' | 'standby' | 'disconnected';
  sealed: number;
}

/**
 * Runs the sealing loop beside a worker, on a connection of its own. Any number may run: the one that works stays at
 * work while it makes progress, the others watch at a slower pace and take over when it does not. It polls; why not
 * LISTEN, and why no lease, is in docs/adr/0006-one-sealer.md.
 */
export function createSealer({ databaseUrl, auditKey, log, batchSize }: SealerOptions) {
  const stopping = new AbortController();
  const status: SealerStatus = { role: 'disconnected', sealed: 0 };
  let running: Promise<void> | undefined;

  async function serve(client: pg.Client): Promise<void> {
    const chain = createChainSealer({ auditKey, ...(batchSize === undefined ? {} : { batchSize }) });
    await chain.enterEra(client);
    let monthsAt = 0;
    let isTreeBehind = true;
    let known = await chain.look(client);
    /** By the last round; where some came, more will have come: a look first would only cost. */
    let sealed = 0;
    status.role = 'standby';
    while (!stopping.signal.aborted) {
      await pause(status.role === 'active' ? pollAfter(sealed) : STANDBY_POLL_MS * (0.8 + 0.4 * Math.random()));
      if (performance.now() >= monthsAt) {
        monthsAt = performance.now() + MONTHS_EVERY_MS;
        await keepMonths(client);
      }
      if (status.role === 'standby' || sealed === 0) {
        const seen = await chain.look(client);
        tellWhenCut(known.seq, seen.seq);
        const somebodyElseSealed = seen.seq > known.seq;
        const stoodStill = seen.firstPending !== null && seen.firstPending === known.firstPending;
        known = seen;
        if (status.role === 'active' && somebodyElseSealed) status.role = 'standby';
        if (status.role === 'standby' && stoodStill) status.role = 'active';
        if (status.role !== 'active') continue;
        // By the one at work alone: whoever takes the lock of the sealer makes it step back.
        if (isTreeBehind) isTreeBehind = await chain.growTree(client);
        if (seen.firstPending === null) continue;
      }
      const round = await sealAll(client, chain, known.seq);
      known = { seq: round.seq, firstPending: null };
      sealed = round.sealed;
    }
  }

  /** Seals do not go away on their own; sealing goes on all the same, so that what follows has its evidence. */
  function tellWhenCut(expected: number, found: number): void {
    if (found < expected) log.error({ expected, found }, 'the end of the audit log was cut off');
  }

  /** Everything that waits, as long as the chain ends where this sealer knows it to end. */
  async function sealAll(client: pg.Client, chain: ReturnType<typeof createChainSealer>, from: number) {
    const round = { seq: from, sealed: 0 };
    while (!stopping.signal.aborted) {
      const result = await chain.seal(client, round.seq);
      if (result.outcome === 'busy') status.role = 'standby';
      if (result.outcome === 'moved') {
        // The next look tells whether somebody else goes on with it.
        tellWhenCut(round.seq, result.end.seq);
        round.seq = result.end.seq;
      }
      if (result.outcome !== 'sealed') return { ...round, sealed: 0 };
      status.sealed += result.count;
      round.seq = result.end.seq;
      round.sealed += result.count;
      if (!result.more) break;
    }
    return round;
  }

  /** A backup that runs holds the lock that this needs: it gives up soon, and an hour later there are still months ahead. */
  async function keepMonths(client: pg.Client): Promise<void> {
    try {
      const created = await maintainAuditMonths(client);
      if (created > 0) log.info({ created }, 'tables for the months of the audit log were made');
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      log.warn({ err: error }, 'tables for the months of the audit log were not made; the next try is in an hour');
    }
  }

  async function run(): Promise<void> {
    let waitMs = RECONNECT_MIN_MS;
    while (!stopping.signal.aborted) {
      const client = connectionTo(databaseUrl);
      try {
        await client.connect();
        waitMs = RECONNECT_MIN_MS;
        await serve(client);
      } catch (error) {
        log.warn({ err: error }, 'the sealer lost its connection and tries again');
      } finally {
        status.role = 'disconnected';
        await client.end().catch(() => {});
      }
      await pause(waitMs);
      waitMs = Math.min(RECONNECT_MAX_MS, waitMs * 2);
    }
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => {});
  }

  return {
    /** Starts the loop; it runs until {@link stop} and survives every loss of the database. */
    start(): void {
      running ??= run();
    },

    /** Lets a batch that runs commit, then ends the loop and its connection. */
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },

    /** What this process does right now, for metrics. */
    status: (): SealerStatus => ({ ...status }),
  };
}

const pollAfter = (sealed: number): number => (sealed >= MANY ? POLL_WITH_MANY_MS : POLL_MS);

export type Sealer = ReturnType<typeof createSealer>;

/** The server ends a session of ours that stops in the middle of a batch (a paused process), so another can go on. */
function connectionTo(databaseUrl: string): pg.Client {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'tradeguard-sealer',
    connectionTimeoutMillis: 5_000,
    query_timeout: 20_000,
    keepAlive: true,
    pipeline: true,
    options:
      '-c statement_timeout=15000 -c idle_in_transaction_session_timeout=3000 -c lock_timeout=10000 -c timezone=UTC',
  });
  // An error between queries; the next query fails and the loop connects again.
  client.on('error', () => {});
  return client;
}
