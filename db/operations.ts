import { checkpointHealth } from './audit-checkpoints.ts';
import { sealingBacklog } from './audit-seal.ts';
import { iso, oneRow, rows, run, type Tx } from './sql.ts';

export interface Backlog {
  unsealed: number;
  unsealedSeconds: number;
  mailsWaiting: number;
  mailWaitingSeconds: number;
  held: number;
  steppingUp: number;
  unresolvedIncidents: number;
  /** Age of the last published checkpoint of the audit log; NaN before the first. */
  checkpointSeconds: number;
  /** See {@link checkpointHealth}. */
  checkpointWaitingSeconds: number;
  checkpointFailures: number;
}

/** Of {@link Backlog}, what one statement counts. */
type Counted = Pick<Backlog, 'mailsWaiting' | 'mailWaitingSeconds' | 'held' | 'steppingUp' | 'unresolvedIncidents'>;

/** What waits. It does not cost more the longer the log grows. */
export async function readBacklog(tx: Tx): Promise<Backlog> {
  const checkpoints = await checkpointHealth(tx);
  const { unsealed, oldestSeconds } = await sealingBacklog(tx, '1 hour');
  const found = await oneRow<Record<string, string>>(
    tx,
    `select m.*, t.*, i.*
       from (select count(*) as "mailsWaiting",
                    coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0) as "mailWaitingSeconds"
               from outbox_mail where sent_at is null and failed_at is null) m,
            (select count(*) filter (where status = 'quarantined') as held,
                    count(*) filter (where status = 'step_up_required') as "steppingUp"
               from transaction where finished_at is null) t,
            (select count(*) as "unresolvedIncidents" from incident where status <> 'resolved') i`,
  );
  const numbers = Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Number(value)]));
  return {
    ...(numbers as unknown as Counted),
    unsealed,
    unsealedSeconds: oldestSeconds,
    checkpointSeconds: checkpoints.ageSeconds ?? Number.NaN,
    checkpointWaitingSeconds: checkpoints.waitingSeconds,
    checkpointFailures: checkpoints.failures,
  };
}

/** One kind of unexpected error as a process counted it since it told last. Times are milliseconds since the epoch. */
export interface CountedError {
  fingerprint: string;
  type: string;
  message: string;
  place: string;
  occurrences: number;
  firstAt: number;
  lastAt: number;
  lastRequestId: string | null;
}

/** Adds counts to those that are stored; in order of the key, so that two processes at once do not wait in a circle. */
export async function storeErrors(tx: Tx, process: 'api' | 'worker', errors: readonly CountedError[]): Promise<void> {
  for (const one of errors.toSorted((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1))) {
    await run(
      tx,
      `insert into error_report as e
         (fingerprint, process, type, message, place, occurrences, first_at, last_at, last_request_id)
       values ($1, $2, $3, $4, $5, $6, to_timestamp($7::float8 / 1000), to_timestamp($8::float8 / 1000), $9)
       on conflict (fingerprint, process) do update
         set occurrences = e.occurrences + excluded.occurrences, message = excluded.message,
             last_at = greatest(e.last_at, excluded.last_at), last_request_id = excluded.last_request_id`,
      [
        one.fingerprint,
        process,
        one.type,
        one.message,
        one.place,
        one.occurrences,
        one.firstAt,
        one.lastAt,
        one.lastRequestId,
      ],
    );
  }
}

export interface StoredError {
  fingerprint: string;
  process: 'api' | 'worker';
  type: string;
  message: string;
  place: string;
  occurrences: number;
  firstAt: string;
  lastAt: string;
  lastRequestId: string | null;
}

/** The kinds of unexpected errors of every process, the freshest first. */
export async function latestErrors(tx: Tx, limit: number): Promise<StoredError[]> {
  const found = await rows<Omit<StoredError, 'occurrences'> & { occurrences: string }>(
    tx,
    `select fingerprint, process, type, message, place, occurrences, first_at as "firstAt", last_at as "lastAt",
            last_request_id as "lastRequestId"
       from error_report order by last_at desc limit $1`,
    [limit],
  );
  return found.map((one) => ({
    ...one,
    occurrences: Number(one.occurrences),
    firstAt: iso(one.firstAt),
    lastAt: iso(one.lastAt),
  }));
}

/** Adds to the requests that a process answered in a minute (milliseconds since the epoch), and forgets those of last week. */
export async function storeRequestCounts(
  tx: Tx,
  processId: string,
  counted: readonly { minute: number; requests: number; serverErrors: number }[],
): Promise<void> {
  for (const { minute, requests, serverErrors } of counted) {
    await run(
      tx,
      `insert into http_minute as h (process_id, minute, requests, server_errors)
       values ($1, to_timestamp($2::float8 / 1000), $3, $4)
       on conflict (minute, process_id) do update
         set requests = h.requests + excluded.requests, server_errors = h.server_errors + excluded.server_errors`,
      [processId, minute, requests, serverErrors],
    );
  }
  await run(tx, `delete from http_minute where minute < now() - interval '7 days'`);
}

/** What every API process answered in the last minutes, the running one included. */
export async function recentRequests(tx: Tx, minutes: number): Promise<{ requests: number; serverErrors: number }> {
  const found = await oneRow<{ requests: string; errors: string }>(
    tx,
    `select coalesce(sum(requests), 0) as requests, coalesce(sum(server_errors), 0) as errors
       from http_minute where minute > now() - make_interval(mins => $1)`,
    [minutes],
  );
  return { requests: Number(found.requests), serverErrors: Number(found.errors) };
}

/** How many workflows were found lost in the last minutes. */
export async function recentlyLostWorkflows(tx: Tx, minutes: number): Promise<number> {
  const { lost } = await oneRow<{ lost: string }>(
    tx,
    `select count(*) as lost from lost_workflow where last_at > now() - make_interval(mins => $1)`,
    [minutes],
  );
  return Number(lost);
}
