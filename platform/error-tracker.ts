import { createHash } from 'node:crypto';
import { logError } from './log-error.ts';

/** Different errors kept between two hand-overs; a flood of more is a flood all the same, and counted as one. */
const MAX_FINGERPRINTS = 200;
const OVERFLOW = 'overflow';

/** One kind of unexpected error, and how often it came since the last hand-over. */
export interface TrackedError {
  fingerprint: string;
  type: string;
  /** Without what a database quotes (see platform/log-error.ts). */
  message: string;
  /** Where it came up: `GET /api/portfolio`, or the name of an activity. */
  place: string;
  occurrences: number;
  /** Milliseconds since the epoch. */
  firstAt: number;
  lastAt: number;
  lastRequestId: string | null;
}

/**
 * Collects unexpected errors by what they are and where they came up, so that a thousand equal ones are one line with a
 * number. It only counts in memory; `drain` hands the counts over to whoever stores them.
 */
export function createErrorTracker({ now = Date.now }: { now?: () => number } = {}) {
  let tracked = new Map<string, TrackedError>();

  function add(given: TrackedError): void {
    const key = tracked.has(given.fingerprint) || tracked.size < MAX_FINGERPRINTS ? given.fingerprint : OVERFLOW;
    const known = tracked.get(key);
    if (known === undefined) {
      tracked.set(key, { ...given, fingerprint: key });
      return;
    }
    known.occurrences += given.occurrences;
    known.firstAt = Math.min(known.firstAt, given.firstAt);
    if (given.lastAt < known.lastAt) return;
    known.lastAt = given.lastAt;
    known.message = given.message;
    known.lastRequestId = given.lastRequestId;
  }

  return {
    /** Counts an unexpected error; refusals and outages are no errors of the program. */
    record(error: unknown, { place, requestId = null }: { place: string; requestId?: string | null }): void {
      const { type, message, frame } = described(error);
      const at = now();
      const fingerprint = createHash('sha256')
        .update(JSON.stringify([type, frame, place]))
        .digest('hex')
        .slice(0, 16);
      add({ fingerprint, type, message, place, occurrences: 1, firstAt: at, lastAt: at, lastRequestId: requestId });
    },

    /** Hands the counts over and begins anew. */
    drain(): TrackedError[] {
      const taken = [...tracked.values()];
      tracked = new Map();
      return taken;
    },

    /** Takes back what could not be stored. */
    restore(errors: readonly TrackedError[]): void {
      for (const error of errors) add(error);
    },
  };
}

export type ErrorTracker = ReturnType<typeof createErrorTracker>;

function described(error: unknown): { type: string; message: string; frame: string } {
  if (!(error instanceof Error))
    return { type: typeof error, message: 'something that is no Error was thrown', frame: '' };
  const { type, message, stack } = logError(error) as { type: string; message: string; stack: string };
  const frames = stack.split('\n').map((line) => line.trim());
  // The first frame of our own: where a library noticed it says little, and differs by path.
  const own = frames.find((line) => !/node:|node_modules/.test(line)) ?? frames[0] ?? '';
  return {
    type: type.slice(0, 200),
    message: message.slice(0, 500),
    frame: own.replace(/^at /, '').replace(/\(?file:.*\/(.+)\)?$/, '$1'),
  };
}
