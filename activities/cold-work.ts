import type { KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { AuditLog } from '../db/audit.ts';
import { coldStorage, type IsGenuine, lockColdStorage, recordColdChange } from '../db/cold-storage.ts';
import type { Database } from '../db/orm.ts';
import type { Tx } from '../db/sql.ts';
import type { ColdMonth } from '../domain/cold-month.ts';
import { createHmacCheck } from '../security/sha256.ts';
import { ArchiveError } from './archive-folder.ts';
import type { CheckpointPublisher } from './checkpoint-publisher.ts';

export interface ColdDeps {
  db: Database;
  /** As the owner of the tables: the application's role may neither drop nor attach a month. */
  owner: Database;
  audit: AuditLog;
  auditKey: KeyObject;
  publisher: CheckpointPublisher;
}

export type Phase = 'verify' | 'write' | 'check' | 'load' | 'wait';

export interface ColdRequest {
  dir: string;
  threads?: number;
  signal?: AbortSignal;
  /** Of `wait`, seconds. */
  onProgress?: (progress: { phase: Phase; done: number; total: number }) => void;
  /** How long to wait for others that read or write the log. */
  patienceMs?: number;
}

/** Others were in the way; it may be tried again. 55P03: lock not available, 40P01: deadlock. */
const BUSY_CODES: readonly unknown[] = ['55P03', '40P01'];
const PAUSE_MS = 1_000;
const PATIENCE_MS = 120_000;

export const genuineBy = (auditKey: KeyObject): IsGenuine => createHmacCheck(auditKey);

/**
 * Runs `work` while nobody else takes a month out or brings one back: a run takes long, and two would write and verify the
 * same for nothing.
 *
 * @throws ArchiveError when another run is under way
 */
export async function alone<T>({ owner }: Pick<ColdDeps, 'owner'>, work: () => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: owner.databaseUrl, application_name: 'tradeguard-archive' });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(hashtextextended('tradeguard.audit-archive-run', 0)) as locked`,
    );
    if (rows[0]?.locked !== true) {
      throw new ArchiveError('Another run takes a month out or brings one back: wait until it has ended.');
    }
    return await work();
  } finally {
    await client.end();
  }
}

/**
 * Changes what is in cold storage, in one transaction of the owner: the record, and `change` last of all, which takes
 * locks that others wait for. Where somebody else holds them for more than a moment, it is tried again.
 *
 * @param change `before`, under all locks: throws where the change may not be made any more
 * @throws ArchiveError when others did not let go in time; nothing was changed then
 */
export async function changeColdStorage(
  { owner, audit, auditKey }: ColdDeps,
  kind: 'archived' | 'restored',
  month: ColdMonth,
  change: { before(tx: Tx): Promise<void>; last(tx: Tx): Promise<void> },
  { signal, onProgress, patienceMs = PATIENCE_MS }: ColdRequest,
): Promise<void> {
  const started = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    try {
      await owner.transaction(async (tx) => {
        if (!(await lockColdStorage(tx)))
          throw Object.assign(new Error('an export is being written'), { code: '55P03' });
        await change.before(tx);
        const before = await coldStorage(tx, genuineBy(auditKey));
        if (before.months.some((one) => one.month === month.month) !== (kind === 'restored')) {
          throw new ArchiveError(`Somebody else has ${kind} ${month.month} meanwhile.`);
        }
        await recordColdChange(tx, { audit }, { kind, month, before });
        await change.last(tx);
      });
      return;
    } catch (error) {
      if (!BUSY_CODES.includes((error as { code?: unknown }).code)) throw error;
      const waited = performance.now() - started;
      if (waited > patienceMs) {
        throw new ArchiveError(
          'Somebody reads the log all the time, a backup or an export perhaps, and the database was left as it was. ' +
            'Run the same command again later: it goes on from here.',
        );
      }
      onProgress?.({ phase: 'wait', done: Math.round(waited / 1000), total: Math.round(patienceMs / 1000) });
      await sleep(PAUSE_MS, undefined, signal ? { signal } : {}).catch(() => {});
    }
  }
}
