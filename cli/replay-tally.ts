import type { FirstVerdict, JournalEntry, RowEntry } from './replay-journal.ts';

/** How often a decision was right, held against the labels of the file. Shares are null where nothing was counted. */
export interface Quality {
  readonly flagged: number;
  readonly truePositives: number;
  readonly precision: number | null;
  readonly recall: number | null;
}

/** What a replay came to; `--json` prints it. */
export interface ReplayReport {
  readonly rows: number;
  /** Rows with label 1 among them. */
  readonly fraud: number;
  readonly verdicts: Readonly<Record<FirstVerdict, number>>;
  readonly outcomes: {
    readonly stepUpPassed: number;
    readonly stepUpExpired: number;
    readonly stepUpThenHeld: number;
    readonly heldApproved: number;
    readonly heldRejected: number;
    /** Rejected at once, or after a step-up or an approval for another reason than these two. */
    readonly rejected: number;
    readonly unfinished: number;
  };
  /** Rejections and refusals by their code. */
  readonly codes: Readonly<Record<string, number>>;
  readonly quality: { readonly held: Quality; readonly stepUpOrHeld: Quality };
  readonly scenarios: Readonly<Record<string, { rows: number; stepUp: number; held: number }>>;
  readonly verdictMs: { readonly p50: number | null; readonly p99: number | null };
}

interface Counted {
  readonly row: RowEntry;
  passedIntoHold: boolean;
  hold: boolean;
  end: { status: 'settled' | 'rejected'; code?: string } | undefined;
}

/** Adds up journal entries, of this run and of earlier ones alike; the order of rows does not matter. */
export function createTally() {
  const rows = new Map<number, Counted>();

  return {
    add(entry: JournalEntry): void {
      if (entry.kind === 'row') {
        if (rows.has(entry.n)) return;
        const end = finalStatus(entry);
        rows.set(entry.n, { row: entry, passedIntoHold: false, hold: entry.verdict === 'held', end });
        return;
      }
      const counted = rows.get(entry.n);
      if (counted === undefined) return;
      if (entry.kind === 'held') {
        counted.passedIntoHold = true;
        counted.hold = true;
        return;
      }
      counted.hold ||= entry.hold;
      counted.end = { status: entry.status, ...(entry.code === undefined ? {} : { code: entry.code }) };
    },

    has: (n: number): boolean => rows.has(n),

    /** Rows whose transaction is not final yet, in the file's order. */
    unfinished(): { row: RowEntry; held: boolean }[] {
      return [...rows.values()]
        .filter((counted) => counted.end === undefined && counted.row.verdict !== 'not_accepted')
        .map(({ row, passedIntoHold }) => ({ row, held: row.verdict === 'held' || passedIntoHold }))
        .toSorted((a, b) => a.row.n - b.row.n);
    },

    get size(): number {
      return rows.size;
    },

    report: (): ReplayReport => report([...rows.values()]),
  };
}

export type Tally = ReturnType<typeof createTally>;

function finalStatus(entry: RowEntry): Counted['end'] {
  if (entry.verdict === 'settled') return { status: 'settled' };
  if (entry.verdict === 'rejected') {
    return { status: 'rejected', ...(entry.code === undefined ? {} : { code: entry.code }) };
  }
  return undefined;
}

function report(rows: readonly Counted[]): ReplayReport {
  const count = (test: (counted: Counted) => boolean) => rows.filter(test).length;
  const verdict = (kind: FirstVerdict) => count(({ row }) => row.verdict === kind);
  const judged = rows.filter(({ row }) => row.verdict !== 'not_accepted');
  const fraud = judged.filter(({ row }) => row.label === 1).length;
  const wasHeld = ({ row, passedIntoHold }: Counted) => row.verdict === 'held' || passedIntoHold;
  const code = (wanted: string) => count(({ end }) => end?.code === wanted);
  const stepUpExpired = code('step_up_expired');
  const heldRejected = code('review_rejected');
  return {
    rows: rows.length,
    fraud,
    verdicts: {
      settled: verdict('settled'),
      step_up: verdict('step_up'),
      held: verdict('held'),
      rejected: verdict('rejected'),
      not_accepted: verdict('not_accepted'),
    },
    outcomes: {
      stepUpPassed: count(
        (one) => one.row.verdict === 'step_up' && !one.passedIntoHold && one.end?.status === 'settled',
      ),
      stepUpExpired,
      stepUpThenHeld: count(({ passedIntoHold }) => passedIntoHold),
      heldApproved: count((one) => wasHeld(one) && one.end?.status === 'settled'),
      heldRejected,
      rejected: count(({ end }) => end?.status === 'rejected') - stepUpExpired - heldRejected,
      unfinished: count(({ row, end }) => end === undefined && row.verdict !== 'not_accepted'),
    },
    codes: countBy(rows.map(({ row, end }) => end?.code ?? row.code).filter((one) => one !== undefined)),
    quality: {
      held: quality(judged, fraud, ({ hold }) => hold),
      stepUpOrHeld: quality(judged, fraud, ({ row, hold }) => hold || row.verdict === 'step_up'),
    },
    scenarios: scenarios(judged),
    verdictMs: percentiles(rows.map(({ row }) => row.ms)),
  };
}

/** Rejections for want of funds and the like are no judgement of risk and flag nothing. */
function quality(judged: readonly Counted[], fraud: number, isFlagged: (counted: Counted) => boolean): Quality {
  const flagged = judged.filter(isFlagged);
  const truePositives = flagged.filter(({ row }) => row.label === 1).length;
  return {
    flagged: flagged.length,
    truePositives,
    precision: flagged.length === 0 ? null : truePositives / flagged.length,
    recall: fraud === 0 ? null : truePositives / fraud,
  };
}

function scenarios(judged: readonly Counted[]): ReplayReport['scenarios'] {
  const found: Record<string, { rows: number; stepUp: number; held: number }> = Object.create(null);
  for (const { row, hold } of judged) {
    const entry = found[row.scenario] ?? { rows: 0, stepUp: 0, held: 0 };
    found[row.scenario] = entry;
    entry.rows += 1;
    if (hold) entry.held += 1;
    else if (row.verdict === 'step_up') entry.stepUp += 1;
  }
  return found;
}

function countBy(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = Object.create(null);
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** Nearest rank: the p-th percentile is a value that was measured. */
export function percentile(sorted: readonly number[], p: number): number | null {
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? null;
}

function percentiles(values: readonly number[]): { p50: number | null; p99: number | null } {
  const sorted = values.toSorted((a, b) => a - b);
  return { p50: percentile(sorted, 50), p99: percentile(sorted, 99) };
}
