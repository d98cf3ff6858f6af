/** Shares of a hold's time, in per cent, at which whoever has to decide is reminded. */
export const REMINDER_SHARES = [50, 90] as const;
export type ReminderShare = (typeof REMINDER_SHARES)[number];

/** A point in a hold's time; `at` is RFC 3339. */
export interface ReviewReminder {
  readonly share: ReminderShare;
  readonly at: string;
}

/** When reminders of a hold are due, the earlier one first. Times in milliseconds since the epoch. */
export function reviewReminders(heldAt: number, reviewBy: number): ReviewReminder[] {
  return REMINDER_SHARES.map((share) => ({
    share,
    at: new Date(heldAt + Math.round(((reviewBy - heldAt) * share) / 100)).toISOString(),
  }));
}

/**
 * The reminder that comes next, given those that were sent. One that is over already is left out where a later one is due,
 * too: whoever was away is reminded once.
 */
export function nextReminder(
  reminders: readonly ReviewReminder[],
  sent: ReadonlySet<ReminderShare>,
  now: number,
): ReviewReminder | undefined {
  const last = Math.max(0, ...sent);
  const open = reminders.filter(({ share }) => share > last);
  return open.findLast(({ at }) => Date.parse(at) <= now) ?? open[0];
}
