import type { AuditLog } from '../db/audit.ts';
import { finishLogin } from '../db/logins.ts';
import { oneRow, row, rows, type Tx } from '../db/sql.ts';
import { findTransaction } from '../db/transactions.ts';
import type { IncidentStatus, Severity } from '../domain/incident.ts';
import { RECOVERY_LINK_TTL_MS } from '../domain/restriction.ts';
import { storedRequest } from '../domain/stored-request.ts';
import type { Keyring } from '../security/keyring.ts';
import { searchTag } from '../security/tokens.ts';
import type { Restart } from '../temporal/workflow-registry.ts';
import type {
  IncidentInput,
  LockoutInput,
  RestrictionInput,
  TaskQueues,
  TransactionInput,
  TransactionSettings,
} from '../workflows/contract.ts';

/** One table of rows that a workflow brings to their end. */
export interface OpenRows {
  workflowType: string;
  queue: Restart['queue'];
  workflowId(id: string): string;
  /** The API opens such rows, too, and may die before Temporal hears of it: one that never had a workflow lost none. */
  openedByApi?: true;
  /** Ids of rows that are not final and old enough to have their workflow, oldest first. */
  openIds(tx: Tx): Promise<string[]>;
  /** Locks the row. @returns whether it is still open */
  lockOpen(tx: Tx, id: string): Promise<boolean>;
  /**
   * How its workflow is started again, or null when the row was ended instead.
   * @param sequence how often it was lost, to keep the runs' effects apart
   */
  recover(tx: Tx, id: string, sequence: number): Promise<Restart | null>;
}

/** Younger rows may belong to a workflow that is just being started. */
const GRACE_SECONDS = 20;
const MAX_OPEN = 20_000;

interface Table {
  name: string;
  isOpen: string;
  since: string;
}

export interface OpenRowsDeps {
  keyring: Keyring;
  audit: AuditLog;
  queues: TaskQueues;
}

/** The kinds of rows that `reconcile` watches over. */
export function openRowsOf({ keyring, queues, audit }: OpenRowsDeps) {
  const userTag = (id: string) => searchTag(keyring, id);

  const transaction: OpenRows = {
    ...openRows({
      name: 'transaction',
      isOpen: 'finished_at is null',
      since: 'case when hold = 1 then created_at else held_at end',
    }),
    queue: 'decisions',
    async recover(tx, id, sequence) {
      const found = await findTransaction(tx, id);
      if (found === undefined) throw new Error('a locked transaction vanished');
      const input: TransactionInput = {
        request: storedRequest(found, `reconcile-${sequence}`),
        userTag: userTag(found.user_id),
        settings: { ...(found.settings as TransactionSettings), queues },
        virtual: found.virtual,
        resume: { sequence, hold: found.hold },
      };
      return {
        workflowType: 'transaction',
        workflowId: this.workflowId(id),
        queue: 'decisions',
        input,
        summary: `${found.type} for account ${found.account_id}, started again`,
        userTag: input.userTag,
        status: found.status,
      };
    },
  };

  const lockout: OpenRows = {
    ...openRows({ name: 'lockout', isOpen: 'unlocked_at is null', since: 'started_at' }),
    queue: 'background',
    async recover(tx, id) {
      const found = await oneRow<{ user_id: string | null; subject: Buffer; locked_until: string }>(
        tx,
        'select user_id, subject, locked_until from lockout where id = $1',
        [id],
      );
      const input: LockoutInput = {
        lockoutId: id,
        lockedUntil: new Date(found.locked_until).toISOString(),
        userTag: userTag(found.user_id ?? found.subject.toString('hex')),
        queues,
      };
      return {
        workflowType: 'lockout',
        workflowId: this.workflowId(id),
        queue: 'background',
        input,
        summary: 'Lockout, started again',
        userTag: input.userTag,
        status: 'locked',
      };
    },
  };

  const incident: OpenRows = {
    ...openRows({ name: 'incident', isOpen: `status <> 'resolved'`, since: 'opened_at' }),
    queue: 'background',
    openedByApi: true,
    async recover(tx, id) {
      const found = await oneRow<{
        user_id: string | null;
        subject_id: string;
        severity: Severity;
        status: IncidentStatus;
      }>(tx, 'select user_id, subject_id, severity, status from incident where id = $1', [id]);
      const input: IncidentInput = {
        incidentId: id,
        severity: found.severity,
        userTag: userTag(found.user_id ?? found.subject_id),
      };
      return {
        workflowType: 'incident',
        workflowId: this.workflowId(id),
        queue: 'background',
        input,
        summary: 'Incident',
        userTag: input.userTag,
        status: found.status,
      };
    },
  };

  const login: OpenRows = {
    // A login that was not decided has a workflow only once somebody waits for it; see `endForgottenLogins`.
    ...openRows({ name: 'login', isOpen: `finished_at is null and status <> 'pending'`, since: 'started_at' }),
    queue: 'decisions',
    /** It lasts minutes and its person is at hand: a fresh login serves them better than the rest of the old one. */
    async recover(tx, id) {
      await finishLogin(tx, id, 'expired');
      await audit.append(tx, {
        action: 'login.expired',
        actor: { kind: 'system' },
        subject: { kind: 'login', id },
        outcome: 'failure',
        workflowId: this.workflowId(id),
        details: { loginId: id, cause: 'workflow_lost' },
      });
      return null;
    },
  };

  const restriction: OpenRows = {
    ...openRows({ name: 'restriction', isOpen: 'lifted_at is null', since: 'started_at' }),
    queue: 'background',
    openedByApi: true,
    async recover(tx, id) {
      const { user_id: userId } = await oneRow<{ user_id: string }>(
        tx,
        'select user_id from restriction where id = $1',
        [id],
      );
      const input: RestrictionInput = {
        restrictionId: id,
        linkTtlMs: RECOVERY_LINK_TTL_MS,
        userTag: userTag(userId),
        queues,
      };
      return {
        workflowType: 'restriction',
        workflowId: this.workflowId(id),
        queue: 'background',
        input,
        summary: 'Restriction, started again',
        userTag: input.userTag,
        status: 'restricted',
      };
    },
  };

  return { transaction, lockout, incident, login, restriction };
}

/** What the tables have in common. A workflow is named after its table, its id after its row. */
function openRows({ name, isOpen, since }: Table): Omit<OpenRows, 'queue' | 'recover'> {
  return {
    workflowType: name,
    workflowId: (id) => `${name}:${id}`,
    async openIds(tx) {
      const found = await rows<{ id: string }>(
        tx,
        `select id from ${name} where ${isOpen} and ${since} < clock_timestamp() - make_interval(secs => $1)
          order by ${since} limit $2`,
        [GRACE_SECONDS, MAX_OPEN],
      );
      return found.map(({ id }) => id);
    },
    async lockOpen(tx, id) {
      return (await row(tx, `select 1 from ${name} where id = $1 and ${isOpen} for update`, [id])) !== undefined;
    },
  };
}
