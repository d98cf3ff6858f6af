/**
 * What is known of a counterparty, over all accounts: payments by UTC day, and the frauds that were confirmed among them.
 *
 * A fraud counts from the moment its label is known. That a payment was clean is known {@link LABEL_DELAY_DAYS} days
 * later, when no fraud was reported: nothing leaks from the future, neither live nor in a back-test.
 *
 * A fraud that the payer's own behaviour explains (see `isOwnAnomaly`) says that the account was taken over, and little
 * about whom it paid: it is kept apart as `own`.
 */
export interface CounterpartyState {
  readonly version: 1;
  /** UTC day of the first payment; null before it. */
  readonly firstDay: number | null;
  /** Payments ever. */
  readonly total: number;
  /** Ascending, the last {@link KEPT_DAYS} days. */
  readonly days: readonly CounterpartyDay[];
  /** Days up to this one are folded into `lastCleanDay` and `run`. */
  readonly knownThrough: number;
  /** The latest known day on which more payments were clean than fraudulent. */
  readonly lastCleanDay: number | null;
  readonly run: FraudRun | null;
}

export interface CounterpartyDay {
  readonly day: number;
  readonly payments: number;
  /** Confirmed frauds that nothing about the payer explains. */
  readonly frauds: number;
  /** Confirmed frauds that the payer's own behaviour explains. */
  readonly own: number;
}

/** Confirmed frauds with no known clean day between them: the counterparty is compromised, or a fraudster. */
export interface FraudRun {
  /** The last known clean day before the first fraud; null where there was none. */
  readonly before: number | null;
  readonly first: number;
  readonly last: number;
  readonly frauds: number;
}

/** After so many days without a report a payment is taken for clean. Card schemes and banks hear of most frauds within a week. */
export const LABEL_DELAY_DAYS = 7;

/** Windows of 30 days end {@link LABEL_DELAY_DAYS} days ago; some more are kept so that late labels find their day. */
export const KEPT_DAYS = 60;

/** Days, ascending. */
export const RISK_WINDOWS = [1, 7, 30] as const;
const LONGEST_WINDOW = 30;

/** A counterparty that nobody has paid yet. */
export function emptyCounterparty(): CounterpartyState {
  return { version: 1, firstDay: null, total: 0, days: [], knownThrough: 0, lastCleanDay: null, run: null };
}

/** A run that is over: `days` between the middle of its uncertain beginning and the middle of its uncertain end. */
export interface EndedRun {
  readonly first: number;
  readonly frauds: number;
  readonly days: number;
}

/**
 * The state as of `today`: days whose outcome has become known are folded into the run of frauds, in their order.
 * @returns the runs of two and more frauds that a clean day has ended meanwhile
 */
export function advance(
  state: CounterpartyState,
  today: number,
): { readonly state: CounterpartyState; readonly ended: readonly EndedRun[] } {
  const through = today - LABEL_DELAY_DAYS - 1;
  if (through <= state.knownThrough) return { state, ended: NONE };
  let { lastCleanDay, run } = state;
  let ended: EndedRun[] | undefined;
  for (const day of state.days) {
    if (day.day <= state.knownThrough || day.day > through) continue;
    const clean = day.payments - day.frauds - day.own;
    const isClean = clean > 0 && clean > day.frauds;
    if (isClean && run !== null) {
      if (run.frauds >= 2) {
        const begin = (run.first + (run.before ?? run.first)) / 2;
        ended = [...(ended ?? []), { first: run.first, frauds: run.frauds, days: (run.last + day.day) / 2 - begin }];
      }
      run = null;
    }
    if (day.frauds > 0) run = extend(run, day, clean > 0 ? day.day : lastCleanDay);
    if (isClean) lastCleanDay = day.day;
  }
  const oldest = today - KEPT_DAYS;
  const days = (state.days[0]?.day ?? oldest) < oldest ? state.days.filter(({ day }) => day >= oldest) : state.days;
  return { state: { ...state, days, knownThrough: through, lastCleanDay, run }, ended: ended ?? NONE };
}

/** The state with one payment more on `today`; call {@link advance} before. */
export function countPayment(state: CounterpartyState, today: number): CounterpartyState {
  return {
    ...state,
    firstDay: state.firstDay ?? today,
    total: state.total + 1,
    days: changeDay(state.days, today, (day) => ({ ...day, payments: day.payments + 1 })),
  };
}

/**
 * The state that knows of a confirmed fraud (`by` 1) or of its correction (`by` -1). A label of a day that is folded
 * already joins the present run where it belongs to it. Call {@link advance} with the present day before.
 * @param paidOn UTC day of the payment
 */
export function countFraud(
  state: CounterpartyState,
  paidOn: number,
  explained: boolean,
  by: 1 | -1 = 1,
): CounterpartyState {
  const days = changeDay(state.days, paidOn, (day) =>
    explained ? { ...day, own: Math.max(0, day.own + by) } : { ...day, frauds: Math.max(0, day.frauds + by) },
  );
  if (explained || paidOn > state.knownThrough) return { ...state, days };
  const { run, lastCleanDay } = state;
  if (by === -1) {
    const left = run === null || paidOn < run.first ? run : run.frauds > 1 ? { ...run, frauds: run.frauds - 1 } : null;
    return { ...state, days, run: left };
  }
  const isAfterClean = lastCleanDay === null || paidOn >= lastCleanDay;
  if (!isAfterClean) return { ...state, days };
  return { ...state, days, run: extend(run, { day: paidOn, frauds: 1 }, lastCleanDay) };
}

/** What the rules may know of a counterparty. Days are whole UTC days. */
export interface CounterpartyFacts {
  readonly total: number;
  readonly ageDays: number;
  /** By window of {@link RISK_WINDOWS}: payments whose outcome is known, and frauds among them. */
  readonly known: ReadonlyArray<{ readonly payments: number; readonly frauds: number; readonly own: number }>;
  /** Confirmed frauds since the last known clean day. */
  readonly runFrauds: number;
  /** Days since the run can have begun at the earliest: since the last known clean day before it. 0 without a run. */
  readonly runAgeDays: number;
}

/** The facts as of `today`; the state must be {@link advance}d to it. */
export function counterpartyFacts(state: CounterpartyState, today: number): CounterpartyFacts {
  const last = today - LABEL_DELAY_DAYS;
  const known = RISK_WINDOWS.map(() => ({ payments: 0, frauds: 0, own: 0 }));
  let run = state.run;
  // From the latest day back: the windows end together, so the first that is too old ends them all.
  for (let index = state.days.length - 1; index >= 0; index -= 1) {
    const day = state.days[index] as CounterpartyDay;
    if (day.day < last - LONGEST_WINDOW) break;
    const confirmed = day.frauds + day.own;
    const payments = day.day < last ? day.payments : confirmed;
    if (payments === 0) continue;
    for (let window = RISK_WINDOWS.length - 1; window >= 0; window -= 1) {
      const sums = known[window] as (typeof known)[number];
      if (day.day < last - (RISK_WINDOWS[window] as number)) break;
      sums.payments += payments;
      sums.frauds += day.frauds;
      sums.own += day.own;
    }
  }
  // Frauds that are known sooner than their day's outcome as a whole.
  for (const day of state.days) {
    if (day.day > state.knownThrough && day.frauds > 0) run = extend(run, day, state.lastCleanDay);
  }
  return {
    total: state.total,
    ageDays: state.firstDay === null ? 0 : today - state.firstDay,
    known,
    runFrauds: run?.frauds ?? 0,
    runAgeDays: run === null ? 0 : today - (run.before ?? run.first),
  };
}

const NONE: readonly EndedRun[] = [];

function extend(run: FraudRun | null, day: Pick<CounterpartyDay, 'day' | 'frauds'>, before: number | null): FraudRun {
  if (run === null) return { before, first: day.day, last: day.day, frauds: day.frauds };
  return { ...run, last: Math.max(run.last, day.day), frauds: run.frauds + day.frauds };
}

function changeDay(
  days: readonly CounterpartyDay[],
  day: number,
  change: (day: CounterpartyDay) => CounterpartyDay,
): readonly CounterpartyDay[] {
  const last = days.at(-1);
  if (last === undefined || last.day < day) return [...days, change({ day, payments: 0, frauds: 0, own: 0 })];
  const index = days.findLastIndex((entry) => entry.day <= day);
  const found = days[index];
  if (found?.day === day) return days.with(index, change(found));
  return days.toSpliced(index + 1, 0, change({ day, payments: 0, frauds: 0, own: 0 }));
}
