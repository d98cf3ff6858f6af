import type { Database } from './orm.ts';
import { oneRow } from './sql.ts';

/** Something the front door refused before any handler ran. */
export interface FrontDoorRefusal {
  kind: 'rate_limited' | 'session_invalid' | 'signature_invalid';
  /** Keyed tag of who was counted; holds no address and no name. */
  bucket: string;
  route: string;
  /** /24 or /48 of the client. */
  network: string | null;
  userId: string | null;
  cause: string;
  /** How many refusals of this bucket and minute this one makes, where the caller counts. */
  refusals?: number;
}

/** Records refusals by kind, bucket and minute. Never throws: a refusal stands whether or not it could be recorded. */
export function createFrontDoorEvents({ db, onError }: { db: Database; onError: (error: unknown) => void }) {
  return {
    /** @returns whether it is the first one of its bucket within this minute; false where it could not be recorded */
    async record(refusal: FrontDoorRefusal): Promise<boolean> {
      try {
        const { first } = await oneRow<{ first: boolean }>(
          db.fork(),
          `insert into front_door_event as e (kind, bucket, window_start, route, network, user_id, cause, refusals)
           values ($1, $2, date_trunc('minute', clock_timestamp()), $3, $4, $5, $6, coalesce($7, 1))
           on conflict (kind, bucket, window_start) do update
             set refusals = coalesce($7, e.refusals + 1), last_at = clock_timestamp(), cause = excluded.cause
           returning e.xmax = 0 as first`,
          [
            refusal.kind,
            refusal.bucket,
            refusal.route,
            refusal.network,
            refusal.userId,
            refusal.cause,
            refusal.refusals ?? null,
          ],
        );
        return first;
      } catch (error) {
        onError(error);
        return false;
      }
    },
  };
}

export type FrontDoorEvents = ReturnType<typeof createFrontDoorEvents>;
