import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { followEvents, isProblem, type LiveEvent, type OperationName } from '../../client/index.ts';
import { affectedBy } from './affected.ts';
import { createPace } from './pace.ts';

export type Connection = 'connecting' | 'live' | 'reconnecting';

/** Where a refusal does not say when to ask again. */
const AGAIN_MS = 5_000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The newest events, newest first. */
const NEWS_KEPT = 50;

export interface News extends LiveEvent {
  readonly receivedAt: string;
}

interface Live {
  readonly connection: Connection;
  readonly news: readonly News[];
}

const LiveContext = createContext<Live>({ connection: 'connecting', news: [] });

/** Whether the page is live, and what has happened since it was opened. */
export const useLive = (): Live => useContext(LiveContext);

/**
 * Follows the live events of staff while it is on the page, and has out of date reads read again.
 *
 * @param onEnded the session is over
 */
export function LiveProvider({ onEnded, children }: { onEnded: () => void; children: ReactNode }) {
  const queries = useQueryClient();
  const [connection, setConnection] = useState<Connection>('connecting');
  const [news, setNews] = useState<readonly News[]>([]);

  useEffect(() => {
    const stop = new AbortController();
    const pace = createPace<OperationName>((name) => void queries.invalidateQueries({ queryKey: [name] }));

    let lastEventId: string | undefined;

    async function follow(): Promise<void> {
      for await (const event of followEvents({
        origin: location.origin,
        session: {},
        signal: stop.signal,
        onBreak: () => setConnection('reconnecting'),
        ...(lastEventId === undefined ? {} : { lastEventId }),
      })) {
        setConnection('live');
        const isFirst = lastEventId === undefined;
        lastEventId = event.id;
        if (event.event === 'ready') {
          // What happened between the page's reads and its first connection, or while it was away for longer than the server
          // remembers, is told by nobody.
          if (isFirst || event.data.complete !== true) void queries.invalidateQueries();
          continue;
        }
        pace.ask(affectedBy(event));
        setNews((before) => [{ ...event, receivedAt: new Date().toISOString() }, ...before].slice(0, NEWS_KEPT));
      }
    }

    /** Refused is not ended: too many windows that follow already, or a server that is not ready, are asked again. */
    async function followAgain(): Promise<void> {
      while (!stop.signal.aborted) {
        try {
          await follow();
        } catch (error) {
          if (stop.signal.aborted) return;
          if (isProblem(error) && (error.status === 401 || error.status === 403)) return onEnded();
          setConnection('reconnecting');
          await sleep(isProblem(error) ? (error.retryAfterMs ?? AGAIN_MS) : AGAIN_MS);
        }
      }
    }

    void followAgain();
    return () => {
      stop.abort();
      pace.stop();
    };
  }, [queries, onEnded]);

  return <LiveContext value={{ connection, news }}>{children}</LiveContext>;
}
