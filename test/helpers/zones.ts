import { setTimeout as sleep } from 'node:timers/promises';

/** Long enough for a test that begins in an hour to end in it. */
const TEST_MS = 10_000;

/**
 * A time zone where it is now the given hour, for tests whose scores must not depend on when they run. Waits where the full hour is
 * about to strike.
 */
export async function zoneAtHour(hour: number): Promise<string> {
  const untilNext = 3_600_000 - (Date.now() % 3_600_000);
  if (untilNext < TEST_MS) await sleep(untilNext);
  const offset = ((hour - new Date().getUTCHours() + 36) % 24) - 12;
  return `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}`;
}
