import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until `look` gives something other than undefined or false, and returns it.
 * @throws after `timeoutMs` with `what` in the message, or with the last error that `look` threw
 */
export async function eventually<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  {
    what = 'the condition',
    timeoutMs = 20_000,
    everyMs = 50,
  }: { what?: string; timeoutMs?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) throw new Error(`${what} did not come about in ${timeoutMs} ms`, { cause: last });
    await sleep(everyMs);
  }
}
