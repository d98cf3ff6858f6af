import { openIncident } from '../db/incidents.ts';
import { abandonLogin } from '../db/logins.ts';
import { row, rows, type Tx } from '../db/sql.ts';
import type { ActivityDeps } from './deps.ts';
import { type OpenRows, openRowsOf } from './open-rows.ts';
import { recordedRun } from './schedule-runs.ts';

/** Rows that one round puts right at most; a server that lost its whole file is caught up with in a few rounds. */
const MAX_RESTARTS = 500;
const PARALLEL = 8;
/** What the registry says of a workflow that the server never had, or has forgotten. */
const NEVER_RAN = 'NOT_FOUND';
/** A workflow that is lost again and again is started after 1, 2, 4, ... minutes, at last once an hour. */
const FIRST_PAUSE_SECONDS = 50;
const LAST_PAUSE_SECONDS = 3_600;

export interface ReconcileReport {
  /** Rows that wait for a workflow to end them. */
  open: number;
  restarted: number;
  /** Logins that nobody waits for any more. */
  forgotten: number;
  /** Rows that could not be put right this time. */
  failed: number;
}

/**
 * Finds rows that are not final and whose workflow runs no more (terminated, failed, lost with a server's file), and
 * gives each one again under its id, with the rest of its time. PostgreSQL says what should run, Temporal what does.
 */
export function createReconcileActivities(deps: ActivityDeps) {
  const { db, audit, log, registry } = deps;

  /** Notes the loss with its incident, unless the row became final or was put right a moment ago. */
  async function noteLoss(tx: Tx, kind: OpenRows, id: string, ending: string) {
    if (!(await kind.lockOpen(tx, id))) return null;
    const workflowId = kind.workflowId(id);
    const loss = await row<{ losses: number }>(
      tx,
      `insert into lost_workflow as l (workflow_id) values ($1)
       on conflict (workflow_id) do update set losses = l.losses + 1, last_at = clock_timestamp()
        where l.last_at < clock_timestamp() - make_interval(secs => least($2 * 2 ^ (l.losses - 1), $3))
       returning losses`,
      [workflowId, FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS],
    );
    if (loss === undefined) return null;
    const incident = await openIncident(tx, deps, {
      cause: 'workflow_lost',
      subjectKind: 'system',
      subjectId: 'temporal',
      userId: null,
      title: 'Workflows ended before their work was done and were started again',
      details: { workflowId, ending, loss: loss.losses },
      key: `${workflowId}:lost:${loss.losses}`,
    });
    await audit.append(tx, {
      action: 'workflow.lost',
      actor: { kind: 'system' },
      subject: { kind: kind.workflowType, id },
      outcome: 'success',
      workflowId,
      details: { ending, loss: loss.losses },
    });
    return { restart: await kind.recover(tx, id, loss.losses), incident };
  }

  /** @returns whether a workflow was started */
  async function putRight(kind: OpenRows, id: string): Promise<boolean> {
    const ending = await registry.endOf(kind.workflowId(id));
    if (ending === null) return false;
    if (kind.openedByApi && ending === NEVER_RAN) return startFirst(kind, id);
    const noted = await db.transaction((tx) => noteLoss(tx, kind, id, ending));
    if (noted === null) return false;
    if (noted.restart !== null) await registry.start(noted.restart);
    if (noted.incident.opened) await startFirst(openRowsOf(deps).incident, noted.incident.incidentId);
    return noted.restart !== null;
  }

  /** Gives a row its first workflow. @returns whether one was started */
  async function startFirst(kind: OpenRows, id: string): Promise<boolean> {
    const start = await db.transaction(async (tx) => ((await kind.lockOpen(tx, id)) ? kind.recover(tx, id, 0) : null));
    return start !== null && registry.start(start);
  }

  /**
   * Logins whose API process died before their workflow was started, or that no worker decided in time: nobody waits
   * for them any more, so they grant nothing.
   */
  async function endForgottenLogins(): Promise<number> {
    const forgotten = await rows<{ id: string }>(
      db.fork(),
      `select id from login
        where status = 'pending' and finished_at is null and verdict_deadline < clock_timestamp() - interval '1 minute'
        order by started_at limit $1`,
      [MAX_RESTARTS],
    );
    for (const { id } of forgotten) await db.transaction((tx) => abandonLogin(tx, audit, id));
    return forgotten.length;
  }

  return {
    /** One round over everything that is open. One row that fails does not keep the others from being put right. */
    restoreLostWorkflows: (): Promise<ReconcileReport> =>
      recordedRun(
        deps,
        'reconcile',
        async () => {
          const report: ReconcileReport = { open: 0, restarted: 0, forgotten: await endForgottenLogins(), failed: 0 };
          for (const kind of Object.values(openRowsOf(deps))) {
            const open = await kind.openIds(db.fork());
            report.open += open.length;
            if (open.length === 0) continue;
            const running = await registry.runningIds(kind.workflowType, kind.queue);
            const suspects = open.filter((id) => !running.has(kind.workflowId(id))).slice(0, MAX_RESTARTS);
            await inParallel(suspects, async (id) => {
              try {
                if (await putRight(kind, id)) report.restarted += 1;
              } catch (error) {
                report.failed += 1;
                log.error(
                  { err: error, workflowId: kind.workflowId(id) },
                  'a lost workflow could not be started again',
                );
              }
            });
          }
          return report;
        },
        ({ failed }) => (failed > 0 ? 'rows_failed' : null),
      ),
  };
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: Math.min(PARALLEL, queue.length) }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
    }),
  );
}
