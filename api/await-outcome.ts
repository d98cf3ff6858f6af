import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '../domain/errors.ts';

const FIRST_PAUSE_MS = 20;
const LAST_PAUSE_MS = 250;
const LOOK_EVERY_MS = 100;

/**
 * Looks again and again, each time with a connection of its own for one statement, until there is an outcome: nothing is
 * held while a workflow does its part.
 *
 * @throws DomainError `verdict_pending` when there is none after `timeoutMs`
 */
export async function awaitOutcome<T>(look: () => Promise<T | undefined>, timeoutMs: number): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LAST_PAUSE_MS)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() + pause > deadline) {
      throw new DomainError('verdict_pending', 'It was recorded and takes longer than usual to be carried out.', {
        retryAfter: 2,
      });
    }
    await sleep(pause);
  }
}

/**
 * Follows what a workflow makes of a row until it has ended or the time is over; no connection is held between two looks.
 *
 * @param deadline of `performance.now()`
 * @returns what the last look saw
 */
export async function follow<T>(look: () => Promise<T>, hasEnded: (seen: T) => boolean, deadline: number): Promise<T> {
  for (;;) {
    const seen = await look();
    if (hasEnded(seen) || performance.now() >= deadline) return seen;
    await sleep(LOOK_EVERY_MS);
  }
}
