import type { Client } from '@temporalio/client';
import { percentile } from '../cli/replay-tally.ts';

/** Where the milliseconds of one verdict went; the marks are Temporal's own event times. */
export interface Segments {
  /** From the caller's sending to the stored start of the workflow. */
  readonly toStart: number;
  /** Until a worker had the task. */
  readonly dispatch: number;
  /** The worker: workflow code and the local activity with its database transaction, until the server stored the result. */
  readonly worker: number;
  /** Until the caller had the answer. */
  readonly back: number;
}

/** One call that was timed on this machine's clock. */
export interface TimedCall {
  readonly workflowId: string;
  /** Unix milliseconds with fraction. */
  readonly sentAt: number;
  readonly answeredAt: number;
}

export const now = (): number => performance.timeOrigin + performance.now();

/** Reads the history of each call and takes the median of every segment. Server and caller share one clock. */
export async function medianSegments(client: Client, calls: readonly TimedCall[]): Promise<Segments> {
  const all: Segments[] = [];
  for (const call of calls) {
    const { events } = await client.workflow.getHandle(call.workflowId).fetchHistory();
    const at = (wanted: 'workflowExecutionStarted' | 'workflowTaskStarted' | 'workflowTaskCompleted'): number => {
      const event = events?.find((one) => one[`${wanted}EventAttributes`]);
      const time = event?.eventTime;
      if (!time) throw new Error(`${call.workflowId} has no ${wanted}`);
      return Number(time.seconds) * 1000 + (time.nanos ?? 0) / 1e6;
    };
    const started = at('workflowExecutionStarted');
    const taken = at('workflowTaskStarted');
    const completed = at('workflowTaskCompleted');
    all.push({
      toStart: started - call.sentAt,
      dispatch: taken - started,
      worker: completed - taken,
      back: call.answeredAt - completed,
    });
  }
  const median = (key: keyof Segments) =>
    percentile(
      all.map((segments) => segments[key]).toSorted((a, b) => a - b),
      50,
    ) ?? Number.NaN;
  return { toStart: median('toStart'), dispatch: median('dispatch'), worker: median('worker'), back: median('back') };
}
