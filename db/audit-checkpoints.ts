import type { Checkpoint } from '../security/checkpoint.ts';
import type { AuditLog } from './audit.ts';
import { oneRow, row, rows, run, type Tx } from './sql.ts';

export const CHECKPOINT_TRIGGERS = ['schedule', 'backup', 'restore', 'request', 'evidence'] as const;
/** Why one was published. */
export type CheckpointTrigger = (typeof CHECKPOINT_TRIGGERS)[number];

export const WITNESS_OUTCOMES = ['none', 'cosigned', 'refused', 'unreachable', 'invalid'] as const;
/** `none`: no witness is configured; `invalid`: it answered with a cosignature that does not hold. */
export type WitnessOutcome = (typeof WITNESS_OUTCOMES)[number];

/** The action of the entry that tells of a published checkpoint. */
export const PUBLISHED_ACTION = 'audit.checkpoint_published';

export interface CheckpointRecord {
  checkpoint: Checkpoint;
  note: string;
  /** Verifier key of who signed it. */
  key: string;
  /** `found`: it had been published by a process that died before it could record it. */
  trigger: CheckpointTrigger | 'found';
  /** By name: null where it was published, else why not. */
  places: Record<string, string | null>;
  witness: WitnessOutcome;
}

/** Records what was published, and writes the audit entry that tells of it; a repeat changes nothing. */
export async function recordCheckpoint(
  tx: Tx,
  { audit }: { audit: AuditLog },
  { checkpoint, note, key, trigger, places, witness }: CheckpointRecord,
): Promise<void> {
  const { fork, size, root, head, time } = checkpoint;
  const added = await run(
    tx,
    `insert into audit_checkpoint (fork, size, root, head, note, key, at, trigger, places, witness)
     values ($1, $2, $3, $4, $5, $6, $7::timestamptz, $8, $9::jsonb, $10) on conflict (fork, size) do nothing`,
    [fork, size, root, head, note, key, time, trigger, JSON.stringify(places), witness],
  );
  if (added === 0) return;
  await audit.append(tx, {
    action: PUBLISHED_ACTION,
    actor: { kind: 'system' },
    subject: { kind: 'audit_checkpoint', id: `${fork}-${size}` },
    outcome: 'success',
    details: { fork, size, root: root.toString('hex'), head: head.toString('hex'), trigger, places, witness },
  });
}

/** Of the given (fork, size), those that no row records. */
export async function unrecordedCheckpoints<C extends { fork: number; size: number }>(
  tx: Tx,
  published: readonly C[],
): Promise<C[]> {
  const found = await rows<{ position: string }>(
    tx,
    `select p.position from unnest($1::integer[], $2::bigint[]) with ordinality as p (fork, size, position)
      where not exists (select from audit_checkpoint c where c.fork = p.fork and c.size = p.size)
      order by p.position`,
    [published.map(({ fork }) => fork), published.map(({ size }) => size)],
  );
  return found.flatMap(({ position }) => published[Number(position) - 1] ?? []);
}

export interface StoredCheckpoint {
  fork: number;
  size: number;
  root: Buffer;
  head: Buffer;
  note: string;
  key: string;
  /** PostgreSQL's text of the time in the checkpoint, and of when it was recorded. */
  at: string;
  recordedAt: string;
  trigger: CheckpointTrigger | 'found';
  places: Record<string, string | null>;
  witness: WitnessOutcome;
}

/** What is recorded, the newest first. `before`: only what is older than that one. */
export async function listCheckpoints(
  tx: Tx,
  { limit, before }: { limit: number; before: { fork: number; size: number } | null },
): Promise<StoredCheckpoint[]> {
  const found = await rows<Omit<StoredCheckpoint, 'size' | 'recordedAt'> & { size: string; recorded_at: string }>(
    tx,
    `select fork, size, root, head, note, key, at, recorded_at, trigger, places, witness from audit_checkpoint
      where $1::integer is null or (fork, size) < ($1, $2::bigint)
      order by fork desc, size desc limit $3`,
    [before?.fork ?? null, before?.size ?? null, limit],
  );
  return found.map(({ recorded_at, ...one }) => ({ ...one, size: Number(one.size), recordedAt: recorded_at }));
}

/** How long the sealed log is, its name, and the database's time: RFC 3339 in UTC with microseconds. */
export async function sealedLog(tx: Tx): Promise<{ origin: string; size: number; now: string }> {
  const found = await oneRow<{ origin: string; seq: string | null; now: string }>(
    tx,
    `select o.origin, (select seq from audit_seal order by seq desc limit 1) as seq,
            to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now
       from audit_log_origin o`,
  );
  return { origin: found.origin, size: found.seq === null ? 0 : Number(found.seq) + 1, now: found.now };
}

/** Whether anything but records of checkpoints was sealed from `size` on: without, an idle log would grow by the hour. */
export async function hasNewsSince(tx: Tx, size: number): Promise<boolean> {
  const { news } = await oneRow<{ news: boolean }>(
    tx,
    `select exists (select from audit_seal s left join audit_entry e on e.id = s.entry_id
                     where s.seq >= $1 and e.action is distinct from $2) as news`,
    [size, PUBLISHED_ACTION],
  );
  return news;
}

/** Whether a restore after `time` (RFC 3339) is on record: another cluster took over, or the entry of a restore. */
export async function restoredSince(tx: Tx, time: string): Promise<boolean> {
  const { restored } = await oneRow<{ restored: boolean }>(
    tx,
    `select exists (select from audit_era where era > 0 and started_at > $1::timestamptz)
         or exists (select from audit_entry where action = 'backup.restored' and at > $1::timestamptz) as restored`,
    [time],
  );
  return restored;
}

/** Entries at the front of the log that were sealed no later than `time` (RFC 3339). */
export async function sealedUntil(tx: Tx, time: string): Promise<number> {
  const found = await row<{ seq: string }>(
    tx,
    'select seq from audit_seal where sealed_at <= $1::timestamptz order by seq desc limit 1',
    [time],
  );
  return found === undefined ? 0 : Number(found.seq) + 1;
}

export interface CheckpointHealth {
  /** Age of the newest checkpoint, by its own time; null for none. */
  ageSeconds: number | null;
  /** How long the oldest sealed entry waits that no checkpoint covers, records of checkpoints aside; 0 for none. */
  waitingSeconds: number;
  /** Of the newest one: places that it was not published to, and a witness that did not cosign it. */
  failures: number;
}

/** For metrics and alerts; cheap at any size of the log. */
export async function checkpointHealth(tx: Tx): Promise<CheckpointHealth> {
  const found = await oneRow<{ age: string | null; waiting: string; failures: string }>(
    tx,
    `with latest as (select * from audit_checkpoint order by fork desc, size desc limit 1)
     select (select extract(epoch from clock_timestamp() - at) from latest) as age,
            coalesce((select extract(epoch from clock_timestamp() - s.sealed_at)
                        from audit_seal s left join audit_entry e on e.id = s.entry_id
                       where s.seq >= coalesce((select size from latest), 0) and e.action is distinct from $1
                       order by s.seq limit 1), 0) as waiting,
            coalesce((select (select count(*) from jsonb_each(places) p where p.value <> 'null'::jsonb)
                             + (witness not in ('none', 'cosigned'))::int from latest), 0) as failures`,
    [PUBLISHED_ACTION],
  );
  return {
    ageSeconds: found.age === null ? null : Math.max(0, Number(found.age)),
    waitingSeconds: Math.max(0, Number(found.waiting)),
    failures: Number(found.failures),
  };
}
