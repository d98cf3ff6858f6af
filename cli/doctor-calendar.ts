import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, fail, finding, type Outcome, ok, warn } from './doctor-finding.ts';

/** The page that holds the date, in the folder of the program. */
export const CALENDAR = join(import.meta.dirname, '..', 'docs', 'OPERATIONS_CALENDAR.md');
const DAY_MS = 86_400_000;
/** So many days ahead people want to know. */
const NOTICE_DAYS = 14;
const ADVICE = 'Review docs/OPERATIONS_CALENDAR.md and write the new dates into it.';

/** Whether the review of operations is due, by the date that its page names. */
export function examineCalendar(now: number, file = CALENDAR): Finding {
  let page: string;
  try {
    page = readFileSync(file, 'utf8');
  } catch {
    return bound(warn('docs/OPERATIONS_CALENDAR.md is not here', 'Keep the page beside the program.'));
  }
  return bound(reviewOf(page, now));
}

function bound(outcome: Outcome): Finding {
  return finding('next-review', 'after', 'The review of operations is not due', outcome);
}

/** A date counts until its day is over, in UTC. */
function reviewOf(page: string, now: number): Outcome {
  const date = /^\| Next review \| (\d{4}-\d{2}-\d{2}) \|$/m.exec(page)?.[1];
  const start = date === undefined ? Number.NaN : Date.parse(`${date}T00:00:00Z`);
  if (date === undefined || Number.isNaN(start) || !new Date(start).toISOString().startsWith(date)) {
    return fail(
      'The page names no date',
      'Write a row `| Next review | YYYY-MM-DD |` into docs/OPERATIONS_CALENDAR.md.',
    );
  }
  const days = Math.floor((start - now) / DAY_MS) + 1;
  if (days < 0) return warn(`It was due on ${date}`, ADVICE);
  return days <= NOTICE_DAYS ? warn(`It is due on ${date}`, ADVICE) : ok(`Next on ${date}`);
}
