import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { followEvents, isProblem, type LiveEvent, type OperationName } from '../../client/index.ts';
import { affectedBy } from './affected.ts';
import { createPace } from './pace.ts';

export type Connection = 'connecting' | 'live' | 'reconnecting';

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

    async function follow(): Promise<void> {
      for await (const event of followEvents({
        origin: location.origin,
        session: {},
        signal: stop.signal,
        onBreak: () => setConnection('reconnecting'),
      })) {
        setConnection('live');
        if (event.event === 'ready') {
          // It was away for longer than the server remembers: anything may have changed.
          if (event.data.complete !== true) void queries.invalidateQueries();
          continue;
        }
        pace.ask(affectedBy(event));
        setNews((before) => [{ ...event, receivedAt: new Date().toISOString() }, ...before].slice(0, NEWS_KEPT));
      }
    }

    follow().catch((error: unknown) => {
      if (stop.signal.aborted) return;
      if (isProblem(error)) onEnded();
      else throw error;
    });
    return () => {
      stop.abort();
      pace.stop();
    };
  }, [queries, onEnded]);

  return <LiveContext value={{ connection, news }}>{children}</LiveContext>;
}
