import { ApplicationFailure, Context } from '@temporalio/activity';
import { encryptedColumns } from '../db/encrypted-columns.ts';
import { openIncident, resolveIncidentFor } from '../db/incidents.ts';
import {
  addProgress,
  beginRotation,
  dropOldGenerations,
  finishRotation,
  listGenerations,
  type RotationEnding,
  type RotationRequest,
} from '../db/key-rotations.ts';
import { syncKeyring } from '../db/keyring.ts';
import { once } from '../db/once.ts';
import { listOutsideSecrets } from '../db/outside-secrets.ts';
import { countOutdated, reencryptBatch } from '../db/reencryption.ts';
import { rows, type Tx } from '../db/sql.ts';
import type { IncidentCause } from '../domain/incident.ts';
import { signingKeyAgeLetter } from '../domain/key-letters.ts';
import type { FollowUps, RunAcceptance } from '../workflows/contract.ts';
import { finalOnDataErrors } from './data-errors.ts';
import type { ActivityDeps } from './deps.ts';

type Incidents = Pick<FollowUps, 'incidents'>;

/** Secrets and signing keys that are older, in days, are reminded of. */
const REMIND_AFTER_DAYS = 28;
/** How often a long activity says that it lives. */
const HEARTBEAT_MS = 1_000;
/** Row ids of unreadable tokens that an incident names; the count says how many there are. */
const NAMED_ROWS = 20;

/** Renews keys: new generations, every stored token under them, old ones dropped, reminders of what nobody here can renew. */
export function createKeyRotationActivities(deps: Pick<ActivityDeps, 'db' | 'keyring' | 'audit' | 'outbox'>) {
  const { db, keyring, audit, outbox } = deps;

  async function opened(
    tx: Tx,
    given: { cause: IncidentCause; subjectId: string; title: string; details: Record<string, unknown>; key: string },
  ): Promise<FollowUps['incidents']> {
    const incident = await openIncident(tx, { audit }, { subjectKind: 'system', userId: null, ...given });
    return incident.opened || incident.raised ? [{ incidentId: incident.incidentId, severity: incident.severity }] : [];
  }

  async function reencryptAll(rotationId: string, batchSize: number, cancelled: AbortSignal): Promise<void> {
    const isPending = (await listGenerations(db.fork())).some(
      ({ purpose, state }) => purpose === 'field' && state === 'pending',
    );
    // By a clock that is a little ahead of the database's: tried again, or nothing would be found to re-encrypt.
    if (isPending) throw new Error('the new field key is not active yet');
    await syncKeyring(db.fork(), keyring);
    const remaining = await countOutdated(db.fork(), keyring);
    if (!(await addProgress(db.fork(), rotationId, { remaining }))) {
      throw ApplicationFailure.nonRetryable('this rotation was given up, another one has taken its place', 'lost');
    }
    for (const column of encryptedColumns) {
      let after: string | null = null;
      do {
        cancelled.throwIfAborted();
        const from: string | null = after;
        after = await db.transaction(async (tx) => {
          const batch = await reencryptBatch(tx, keyring, column, { after: from, limit: batchSize });
          await addProgress(tx, rotationId, { done: batch.done });
          return batch.next;
        });
      } while (after !== null);
    }
  }

  return {
    /** Writes the rotation's row with the new generations, or says that another one runs. */
    async beginKeyRotation(request: Omit<RotationRequest, 'workflowId'>, settleMs: number): Promise<RunAcceptance> {
      const workflowId = Context.current().info.workflowExecution?.workflowId ?? null;
      const mayGoOn = await finalOnDataErrors(() =>
        db.transaction((tx) => beginRotation(tx, deps, { ...request, workflowId }, settleMs)),
      );
      return mayGoOn
        ? { status: 'accepted' }
        : { status: 'refused', code: 'already_running', detail: 'Another rotation is running.' };
    },

    /**
     * Puts every stored token under the active field key, a batch a transaction. What is done stays done: a retry, and the
     * next rotation after a cancelled one, finds only tokens that are left.
     */
    async reencryptFields(rotationId: string, batchSize: number): Promise<void> {
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
      try {
        await reencryptAll(rotationId, batchSize, context.cancellationSignal);
      } finally {
        clearInterval(beat);
      }
    },

    /** Ends the rotation's row. Tokens that did not open are an incident: they were altered, and keep their old key. */
    finishKeyRotation: (rotationId: string, ending: RotationEnding): Promise<Incidents> =>
      finalOnDataErrors(() =>
        db.transaction((tx) =>
          once(tx, `key-rotation:${rotationId}:finish`, async () => {
            await syncKeyring(tx, keyring);
            const broken = ending.status === 'succeeded' ? await reencryptRest(tx) : [];
            await addProgress(tx, rotationId, { unreadable: broken.length });
            const ended = await finishRotation(tx, { audit }, rotationId, ending);
            const incidents: FollowUps['incidents'] = [];
            if (ended?.status === 'failed') {
              incidents.push(
                ...(await opened(tx, {
                  cause: 'maintenance_late',
                  subjectId: 'key-rotation',
                  title: `A rotation of keys failed: ${ended.reason}`,
                  details: { rotationId, reason: ended.reason },
                  key: `key-rotation:${rotationId}:failed`,
                })),
              );
            }
            if (broken.length > 0) {
              incidents.push(
                ...(await opened(tx, {
                  cause: 'field_tampered',
                  subjectId: 'key-rotation',
                  title: `Encrypted fields do not open: ${broken.length}`,
                  details: { rotationId, count: broken.length, rows: broken.slice(0, NAMED_ROWS) },
                  key: `key-rotation:${rotationId}:unreadable`,
                })),
              );
            }
            return { incidents };
          }),
        ),
      ),

    /** Opens a reminder for each secret that only outsiders can change and that has become old; resolves it once changed. */
    remindOfSecretAges: (rotationId: string): Promise<Incidents> =>
      finalOnDataErrors(() =>
        db.transaction((tx) =>
          once(tx, `key-rotation:${rotationId}:secret-ages`, async () => {
            const incidents: FollowUps['incidents'] = [];
            for (const { name, since, ageDays } of await listOutsideSecrets(tx)) {
              const subject = { cause: 'secret_age' as const, subjectKind: 'system' as const, subjectId: name };
              if (ageDays >= REMIND_AFTER_DAYS) {
                incidents.push(
                  ...(await opened(tx, {
                    ...subject,
                    title: `${name} is ${ageDays} days old: change it where it comes from`,
                    details: { name, since, ageDays },
                    key: `key-rotation:${rotationId}:secret-age:${name}`,
                  })),
                );
              } else {
                const resolution = 'It was changed.';
                const resolved = await resolveIncidentFor(tx, { audit }, { ...subject, resolution, resolvedBy: null });
                if (resolved) incidents.push(resolved);
              }
            }
            await remindOwners(tx, rotationId);
            return { incidents };
          }),
        ),
      ),

    /**
     * Drops generations that nothing needs any more. What processes wrote that had not changed over when the rotation
     * ended would keep the old field key for another month, so it is re-encrypted first.
     *
     * @returns how many
     */
    dropOldKeys: (graceMs: number): Promise<number> =>
      finalOnDataErrors(() =>
        db.transaction(async (tx) => {
          await syncKeyring(tx, keyring);
          await reencryptRest(tx);
          return dropOldGenerations(tx, { audit }, graceMs);
        }),
      ),
  };

  /**
   * A token that was written by a process that had not changed over yet opens, and is no trouble.
   *
   * @returns rows whose token does not open
   */
  async function reencryptRest(tx: Tx): Promise<string[]> {
    const broken: string[] = [];
    for (const column of encryptedColumns) {
      let after: string | null = null;
      do {
        const batch = await reencryptBatch(tx, keyring, column, { after, limit: 1_000 });
        broken.push(...batch.unreadable.map((id) => `${column.table}.${column.column} ${id}`));
        after = batch.next;
      } while (after !== null);
    }
    return broken;
  }

  async function remindOwners(tx: Tx, rotationId: string): Promise<void> {
    const old = await rows<{ id: string; user_id: string; email: string; days: string }>(
      tx,
      `select k.id, k.user_id, u.email, floor(extract(epoch from clock_timestamp() - k.created_at) / 86400) as days
         from signing_key k join app_user u on u.id = k.user_id
        where k.status = 'active' and u.disabled_at is null
          and k.created_at < clock_timestamp() - make_interval(days => $1) order by k.id`,
      [REMIND_AFTER_DAYS],
    );
    for (const { id, user_id, email, days } of old) {
      await outbox.enqueue(tx, {
        ...signingKeyAgeLetter(id, Number(days)),
        key: `key-rotation:${rotationId}:signing-key:${id}`,
        userId: user_id,
        to: email,
      });
    }
  }
}
