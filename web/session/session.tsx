import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react';
import { isProblem } from '../../client/index.ts';
import { client, signWith } from '../api.ts';
import type { Body } from '../calls.ts';

export type Me = Body<'getMe'>;

export type SessionState =
  | { readonly kind: 'unknown' }
  /** `why` is for the person, where they had a session. */
  | { readonly kind: 'signed-out'; readonly why?: string }
  | { readonly kind: 'signed-in'; readonly me: Me };

interface SessionControls {
  readonly state: SessionState;
  /** Asks the API whose session this is. */
  readonly refresh: () => Promise<void>;
  /** Forgets everything that was shown. */
  readonly ended: (why?: string) => void;
  readonly signOut: () => Promise<void>;
}

const SessionContext = createContext<SessionControls | undefined>(undefined);
const AGAIN_MS = 3_000;

export function useSession(): SessionControls {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error('useSession needs a SessionProvider above');
  return session;
}

/** The person of the session. Only below pages that are shown to who is signed in. */
export function useMe(): Me {
  const { state } = useSession();
  if (state.kind !== 'signed-in') throw new Error('useMe needs a session');
  return state.me;
}

/** Knows who is signed in. A read that is answered with `session_required` ends the session on the page, too. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [state, setState] = useState<SessionState>({ kind: 'unknown' });

  const ended = useCallback(
    (why?: string) => {
      queries.clear();
      signWith();
      setState(why === undefined ? { kind: 'signed-out' } : { kind: 'signed-out', why });
    },
    [queries],
  );

  const refresh = useCallback(async (): Promise<void> => {
    try {
      const { body } = await client.getMe();
      setState({ kind: 'signed-in', me: body });
    } catch (error) {
      if (isProblem(error) && error.status === 401) ended();
      // The server is away: whether there is a session is not known, so nobody is asked to sign in.
      else setTimeout(() => void refresh(), AGAIN_MS);
    }
  }, [ended]);

  useEffect(() => {
    void refresh();
  }, [refresh]);

  useEffect(() => {
    const notice = ({ query }: { query?: { state: { error: unknown } } }): void => {
      if (isProblem(query?.state.error, 'session_required')) ended('Your session has ended.');
    };
    const stops = [
      queries.getQueryCache().subscribe(notice),
      queries.getMutationCache().subscribe(({ mutation }) => notice({ ...(mutation ? { query: mutation } : {}) })),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [queries, ended]);

  const signOut = useCallback(async () => {
    await client.signOut();
    ended('You are signed out.');
  }, [ended]);

  const controls = useMemo(() => ({ state, refresh, ended, signOut }), [state, refresh, ended, signOut]);
  return <SessionContext value={controls}>{children}</SessionContext>;
}
