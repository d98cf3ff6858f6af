import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { sealerLag } from '../db/audit-seal.ts';
import { type LiveEvent, liveEventsSince, nowMicros, openStaffSessions } from '../db/live-events.ts';
import type { Database } from '../db/orm.ts';
import { DomainError } from '../domain/errors.ts';
import type { StreamSink } from './route.ts';

/** Two looks fit into the second within which a page is to know. */
const POLL_MS = 400;
/** A comment now and then keeps proxies from closing a stream, and is when its session is asked for again. */
const HEARTBEAT_MS = 10_000;
/** A transaction may commit this long after the time that its rows carry: the database ends a longer one. */
const LOOK_BACK_MICROS = 60 * 1_000_000;
/** A client that comes back is told again what happened in this time before its last event. */
const RESUME_OVERLAP_MICROS = 5 * 1_000_000;
/** Who was away longer reads everything anew. */
const RESUME_AT_MOST_MICROS = 3_600 * 1_000_000;
/** Of each source of events. */
const BATCH = 1_000;
/** How often the sealer is looked at, and from which age of the oldest entry that waits it is told as being behind. */
const SEALER_LOOK_MS = 2_000;
const SEALER_BEHIND_MS = 2_000;
const MAX_STREAMS = 200;
const MAX_STREAMS_OF_USER = 8;
/** A client that takes nothing is let go: it comes back with the id of the last event it saw. */
const MAX_PENDING_BYTES = 1_000_000;

interface Follower {
  sessionId: string;
  userId: string;
  sink: StreamSink;
  end: () => void;
}

/**
 * Live events for the pages of staff. One look at the database serves every page of this process, and none is taken while
 * nobody watches. NOTIFY would make all commits of the installation queue for one lock.
 */
export function createEventFeed({ db, log }: { db: Database; log: Logger }) {
  const followers = new Set<Follower>();
  const closing = new AbortController();
  let polling: Promise<void> | undefined;

  async function poll(): Promise<void> {
    const seen = new Map<string, number>();
    let beatAt = Date.now();
    let from: number | undefined;
    let sealer = { lookedAt: 0, isBehind: false };
    while (followers.size > 0 && !closing.signal.aborted) {
      try {
        from = await look(from, seen);
        sealer = await lookAtSealer(sealer, from);
        if (Date.now() - beatAt >= HEARTBEAT_MS) {
          beatAt = Date.now();
          await beat();
        }
      } catch (error) {
        log.warn({ err: error }, 'live events could not be read; trying again');
      }
      await sleep(POLL_MS, undefined, { signal: closing.signal }).catch(() => {});
    }
  }

  /** Tells what is new since the last look. @returns where the next one begins */
  async function look(from: number | undefined, seen: Map<string, number>): Promise<number> {
    const tx = db.fork();
    if (from === undefined) {
      const start = await nowMicros(tx);
      // What was there before is no news; each follower was told what it had missed when it came.
      const { events } = await liveEventsSince(tx, start - LOOK_BACK_MICROS, BATCH);
      for (const { key, micros } of events) seen.set(key, micros);
      return start;
    }
    const { events } = await liveEventsSince(tx, from - LOOK_BACK_MICROS, BATCH);
    const fresh = events.filter(({ key }) => !seen.has(key));
    for (const event of fresh) {
      seen.set(event.key, event.micros);
      for (const follower of followers) send(follower, render(event));
    }
    const newest = fresh.reduce((latest, { micros }) => Math.max(latest, micros), from);
    for (const [key, micros] of seen) if (micros < newest - 2 * LOOK_BACK_MICROS) seen.delete(key);
    return newest;
  }

  /** Tells of a sealer that is behind for as long as it is, and once when it has caught up. */
  async function lookAtSealer(before: { lookedAt: number; isBehind: boolean }, cursor: number) {
    if (Date.now() - before.lookedAt < SEALER_LOOK_MS) return before;
    const { unsealed, oldestUnsealedMs } = await sealerLag(db.fork());
    const isBehind = oldestUnsealedMs >= SEALER_BEHIND_MS;
    if (isBehind || before.isBehind) {
      const text = frame('sealer', cursor, { unsealed, oldestUnsealedMs, isBehind });
      for (const follower of followers) send(follower, text);
    }
    return { lookedAt: Date.now(), isBehind };
  }

  async function beat(): Promise<void> {
    const open = await openStaffSessions(
      db.fork(),
      [...followers].map(({ sessionId }) => sessionId),
    );
    for (const follower of followers) {
      if (open.has(follower.sessionId)) send(follower, ': still here\n\n');
      else follower.end();
    }
  }

  function send(follower: Follower, text: string): void {
    if (follower.sink.write(text) > MAX_PENDING_BYTES) follower.end();
  }

  return {
    /** How many pages follow. */
    streams: (): number => followers.size,

    /** @throws DomainError `rate_limited` where one more stream would be too many */
    admit(userId: string): void {
      const own = [...followers].filter((follower) => follower.userId === userId).length;
      if (followers.size >= MAX_STREAMS || own >= MAX_STREAMS_OF_USER) {
        throw new DomainError('rate_limited', 'Too many pages follow the live events already.', { retryAfter: 30 });
      }
    },

    /**
     * Sends events until the client is gone, its session has ended or the process stops.
     * @param lastEventId what the client saw last, as it was sent; anything else begins now
     */
    async follow(given: {
      sessionId: string;
      userId: string;
      lastEventId: string | undefined;
      hello: Record<string, unknown>;
      sink: StreamSink;
    }): Promise<void> {
      const { sink, lastEventId, hello, sessionId, userId } = given;
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      const end = () => resolve();
      const follower = { sessionId, userId, sink, end };
      sink.gone.addEventListener('abort', end, { once: true });
      closing.signal.addEventListener('abort', end, { once: true });
      if (sink.gone.aborted || closing.signal.aborted) end();
      // First, so that nothing falls between what is read below and what the next look finds.
      followers.add(follower);
      try {
        const missed = await missedSince(db, lastEventId);
        sink.write(`retry: 1000\n${frame('ready', missed.cursor, { ...hello, complete: missed.complete })}`);
        for (const event of missed.events) send(follower, render(event));
        polling ??= poll().finally(() => {
          polling = undefined;
        });
        await ended;
      } finally {
        followers.delete(follower);
        closing.signal.removeEventListener('abort', end);
      }
    },

    /** Ends every stream. */
    async close(): Promise<void> {
      closing.abort();
      await polling;
    },
  };
}

export type EventFeed = ReturnType<typeof createEventFeed>;

async function missedSince(db: Database, lastEventId: string | undefined) {
  const tx = db.fork();
  const now = await nowMicros(tx);
  const last = lastEventId !== undefined && /^\d{1,16}$/.test(lastEventId) ? Number(lastEventId) : undefined;
  if (last === undefined) return { events: [], cursor: now, complete: true };
  const from = Math.max(last - RESUME_OVERLAP_MICROS, now - RESUME_AT_MOST_MICROS);
  const { events, complete } = await liveEventsSince(tx, from, BATCH);
  return { events, cursor: last, complete: complete && last >= now - RESUME_AT_MOST_MICROS };
}

function render({ kind, key: _, micros, ...data }: LiveEvent): string {
  return frame(kind, micros, { ...data, at: new Date(micros / 1000).toISOString() });
}

/** One event as https://html.spec.whatwg.org/multipage/server-sent-events.html writes it. */
function frame(event: string, id: number, data: Record<string, unknown>): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
