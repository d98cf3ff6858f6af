import { rows, type Tx } from './sql.ts';

export const LIVE_RUNS = [
  'backup',
  'restore_drill',
  'key_rotation',
  'audit_verification',
  'backtest',
  'evidence',
] as const;
export type LiveRun = (typeof LIVE_RUNS)[number];

/** How far a long piece of work is, or how it ended. */
export interface RunEvent {
  kind: 'run';
  key: string;
  micros: number;
  run: LiveRun;
  runId: string;
  status: string;
  phase: string | null;
  /** Bytes, rows, fields or entries, as the row of the run counts them; null where it counts nothing. */
  done: number | null;
  /** The same at its end; null where nobody knows. */
  total: number | null;
}

/** One source: how each table says the same. */
const source = (
  run: LiveRun,
  table: string,
  columns: { end: string; phase?: string; done?: string; total?: string },
) => `
  select '${run}' as run, id::text, status, ${columns.phase ?? 'null::text'} as phase, ${columns.done ?? 'null::bigint'} as done,
         ${columns.total ?? 'null::bigint'} as total, coalesce(${columns.end}, clock_timestamp()) as at
    from ${table} where ${columns.end} is null or ${columns.end} >= since.t`;

const SOURCES = [
  source('backup', 'backup_run', { end: 'finished_at', phase: 'phase', done: 'bytes_done' }),
  source('restore_drill', 'restore_drill', { end: 'finished_at', phase: 'phase', done: 'bytes_done' }),
  source('key_rotation', 'key_rotation', { end: 'finished_at', done: 'fields_done', total: 'fields_total' }),
  source('audit_verification', 'audit_verification', { end: 'finished_at', done: 'checked', total: 'total' }),
  source('backtest', 'backtest_report', { end: 'made_at', done: 'rows_done', total: 'rows_total' }),
  source('evidence', 'evidence_request', { end: 'finished_at' }),
];

/**
 * Runs that are under way, as they stand now, and those that ended at or after an instant (microseconds since the epoch).
 * The key changes with the progress: whoever remembers keys is told of each step once.
 */
export async function runEventsSince(tx: Tx, micros: number, limit: number): Promise<RunEvent[]> {
  const found = await rows<{
    run: LiveRun;
    id: string;
    status: string;
    phase: string | null;
    done: string | null;
    total: string | null;
    micros: string;
  }>(
    tx,
    `select r.run, r.id, r.status, r.phase, r.done, r.total, (extract(epoch from r.at) * 1000000)::bigint as micros
       from (select 'epoch'::timestamptz + $1::bigint * interval '1 microsecond' as t) since
            cross join lateral (${SOURCES.join(' union all ')}) r
      order by r.at limit $2`,
    [micros, limit],
  );
  return found.map(({ run, id, status, phase, done, total, micros: at }) => ({
    kind: 'run',
    key: `run:${run}:${id}:${status}:${phase}:${done}`,
    micros: Number(at),
    ...{ run, runId: id, status, phase },
    done: done === null ? null : Number(done),
    total: total === null ? null : Number(total),
  }));
}
