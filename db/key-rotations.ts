import { KEY_PURPOSES, type KeyPurpose, type Keyring, SESSION_PURPOSES } from '../security/keyring.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import { isFieldKeyInUse } from './reencryption.ts';
import { oneRow, row, rows, run, type Tx } from './sql.ts';

export const ROTATION_SCOPES = ['all', 'field', 'session'] as const;
export type RotationScope = (typeof ROTATION_SCOPES)[number];
export type RotationStatus = 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface RotationRequest {
  id: string;
  trigger: 'schedule' | 'manual' | 'cli';
  scope: RotationScope;
  requestedBy: string | null;
  workflowId: string | null;
}

export interface KeyRotationRow {
  id: string;
  trigger: RotationRequest['trigger'];
  scope: RotationScope;
  requested_by: string | null;
  workflow_id: string | null;
  status: RotationStatus;
  fields_total: string | null;
  fields_done: string;
  fields_unreadable: string;
  active_from: string;
  started_at: string;
  finished_at: string | null;
  reason: string | null;
}

/** A rotation that showed no sign of life for so long has lost its workflow; another one may begin and goes on with it. */
const LOST_AFTER = '10 minutes';
/** The longest that a login, and with it a token hash made at its start, waits for its session. */
const SESSION_LAG = '1 hour';
/** A device cookie's life. */
const DEVICE_COOKIE_LIFE = '400 days';

interface Deps {
  keyring: Keyring;
  audit: AuditLog;
}

/**
 * What a rotation renews. Keys that look things up or derive ids (blind indexes, search attributes, transaction ids, login
 * subjects) are not part of it: under another key nothing stored would be found again.
 */
function purposesOf(scope: RotationScope): readonly KeyPurpose[] {
  if (scope === 'field') return ['field'];
  return scope === 'session' ? SESSION_PURPOSES : ['field', ...SESSION_PURPOSES];
}

/**
 * Begins a rotation unless one runs: its row, and a new generation of every key in its scope, stored `settleMs` before it
 * becomes active so that every process knows it by then.
 *
 * @returns whether it may go on; true again for a repeat with the same id
 */
export async function beginRotation(tx: Tx, deps: Deps, request: RotationRequest, settleMs: number): Promise<boolean> {
  const { keyring, audit } = deps;
  const lost = await rows<{ id: string }>(
    tx,
    `update key_rotation set status = 'failed', reason = 'lost', finished_at = clock_timestamp()
      where status = 'running' and id <> $1 and seen_at < clock_timestamp() - $2::interval returning id`,
    [request.id, LOST_AFTER],
  );
  for (const { id } of lost) await audit.append(tx, rotationEvent(id, 'failed', null, { reason: 'lost' }));
  const begun = await row<{ active_from: string }>(
    tx,
    `insert into key_rotation (id, trigger, scope, requested_by, workflow_id, status, active_from)
     values ($1, $2, $3, $4, $5, 'running', clock_timestamp() + make_interval(secs => $6))
     on conflict do nothing returning active_from`,
    [request.id, request.trigger, request.scope, request.requestedBy, request.workflowId, settleMs / 1_000],
  );
  if (begun === undefined) return (await runningRotation(tx))?.id === request.id;
  await run(tx, `select pg_advisory_xact_lock(hashtext('tradeguard.keyring'))`);
  const made: { purpose: KeyPurpose; keyId: string; version: number }[] = [];
  for (const purpose of purposesOf(request.scope)) {
    const { version } = await oneRow<{ version: number }>(
      tx,
      'select coalesce(max(version), 0) + 1 as version from keyring_key where purpose = $1',
      [purpose],
    );
    const record = await keyring.generateWrapped(purpose, version);
    await run(tx, 'update keyring_key set retired_at = $2 where purpose = $1 and retired_at is null', [
      purpose,
      begun.active_from,
    ]);
    await run(
      tx,
      'insert into keyring_key (key_id, purpose, version, record, active_from) values ($1, $2, $3, $4::jsonb, $5)',
      [record.keyId, purpose, version, JSON.stringify(record), begun.active_from],
    );
    made.push({ purpose, keyId: record.keyId, version });
  }
  await audit.append(
    tx,
    rotationEvent(request.id, 'started', request, { trigger: request.trigger, scope: request.scope, keys: made }),
  );
  return true;
}

/** The one that runs now. */
export function runningRotation(tx: Tx): Promise<KeyRotationRow | undefined> {
  return row<KeyRotationRow>(tx, `select * from key_rotation where status = 'running'`);
}

export function rotationById(tx: Tx, id: string): Promise<KeyRotationRow | undefined> {
  return row<KeyRotationRow>(tx, 'select * from key_rotation where id = $1', [id]);
}

/** Newest first. */
export function listRotations(
  tx: Tx,
  { limit, before }: { limit: number; before: { at: string; id: string } | null },
): Promise<KeyRotationRow[]> {
  return rows<KeyRotationRow>(
    tx,
    `select * from key_rotation where $2::timestamptz is null or (started_at, id) < ($2::timestamptz, $3::uuid)
      order by started_at desc, id desc limit $1`,
    [limit, before?.at ?? null, before?.id ?? null],
  );
}

/** Adds to what a rotation has done, and shows that it lives. @returns false when it was ended or given up meanwhile */
export async function addProgress(
  tx: Tx,
  id: string,
  given: { done?: number; unreadable?: number; remaining?: number },
): Promise<boolean> {
  const touched = await run(
    tx,
    `update key_rotation set seen_at = clock_timestamp(), fields_done = fields_done + $2,
            fields_unreadable = fields_unreadable + $3, fields_total = coalesce(fields_done + $4::bigint, fields_total)
      where id = $1 and status = 'running'`,
    [id, given.done ?? 0, given.unreadable ?? 0, given.remaining ?? null],
  );
  return touched > 0;
}

export type RotationEnding = { status: 'succeeded' } | { status: 'cancelled' } | { status: 'failed'; reason: string };

/** Ends a rotation's row, once. @returns the row, or undefined when it had ended before */
export async function finishRotation(
  tx: Tx,
  { audit }: Pick<Deps, 'audit'>,
  id: string,
  ending: RotationEnding,
): Promise<KeyRotationRow | undefined> {
  const ended = await row<KeyRotationRow>(
    tx,
    `update key_rotation set status = $2, reason = $3, finished_at = clock_timestamp()
      where id = $1 and status = 'running' returning *`,
    [id, ending.status, ending.status === 'failed' ? ending.reason : null],
  );
  if (ended === undefined) return undefined;
  const verb = ending.status === 'succeeded' ? 'completed' : ending.status;
  await audit.append(
    tx,
    rotationEvent(id, verb, null, {
      reencrypted: Number(ended.fields_done),
      unreadable: Number(ended.fields_unreadable),
      ...(ended.reason === null ? {} : { reason: ended.reason }),
    }),
  );
  return ended;
}

/**
 * Drops old generations that nothing needs any more: a field key that no token names, session keys whose last session has
 * ended, device-cookie keys older than any cookie. `graceMs` after its retirement at the earliest: until then a process
 * that has not changed over may still have used it.
 *
 * @returns how many were dropped
 */
export async function dropOldGenerations(tx: Tx, { audit }: Pick<Deps, 'audit'>, graceMs: number): Promise<number> {
  const retired = await rows<{ key_id: string; purpose: KeyPurpose; version: number; retired_at: string }>(
    tx,
    `select key_id, purpose, version, retired_at from keyring_key
      where retired_at < clock_timestamp() - make_interval(secs => $1) and purpose = any($2)
      order by purpose, version`,
    [graceMs / 1_000, purposesOf('all')],
  );
  let dropped = 0;
  for (const { key_id, purpose, version, retired_at } of retired) {
    if (await isNeeded(tx, purpose, key_id, retired_at)) continue;
    await run(tx, 'delete from keyring_key where key_id = $1', [key_id]);
    await audit.append(tx, {
      action: 'key.dropped',
      actor: { kind: 'system' },
      subject: { kind: 'key', id: key_id },
      outcome: 'success',
      details: { purpose, version },
    });
    dropped += 1;
  }
  return dropped;
}

async function isNeeded(tx: Tx, purpose: KeyPurpose, keyId: string, retiredAt: string): Promise<boolean> {
  if (purpose === 'field') return isFieldKeyInUse(tx, keyId);
  const { needed } = await oneRow<{ needed: boolean }>(
    tx,
    purpose === 'device-cookie'
      ? 'select $1::timestamptz + $2::interval > clock_timestamp() as needed'
      : `select $1::timestamptz + $2::interval > clock_timestamp() or exists (
           select from session where revoked_at is null and expires_at > clock_timestamp()
              and created_at < $1::timestamptz + $2::interval) as needed`,
    [retiredAt, purpose === 'device-cookie' ? DEVICE_COOKIE_LIFE : SESSION_LAG],
  );
  return needed;
}

export interface KeyGeneration {
  keyId: string;
  purpose: KeyPurpose;
  version: number;
  state: 'pending' | 'active' | 'retired';
  /** Whether a rotation renews it. */
  rotated: boolean;
  createdAt: string;
  activeFrom: string;
  retiredAt: string | null;
}

/** Every stored generation, without its key: PostgreSQL's timestamps as they are. */
export async function listGenerations(tx: Tx): Promise<KeyGeneration[]> {
  const rotated = purposesOf('all');
  const found = await rows<Omit<KeyGeneration, 'rotated'>>(
    tx,
    `select key_id as "keyId", purpose, version, created_at as "createdAt", active_from as "activeFrom",
            retired_at as "retiredAt", case when active_from > clock_timestamp() then 'pending'
              when retired_at is null or retired_at > clock_timestamp() then 'active' else 'retired' end as state
       from keyring_key order by array_position($1::text[], purpose), version desc`,
    [KEY_PURPOSES],
  );
  return found.map((key) => ({ ...key, rotated: rotated.includes(key.purpose) }));
}

function rotationEvent(
  id: string,
  verb: 'started' | 'completed' | 'failed' | 'cancelled',
  request: RotationRequest | null,
  details: Record<string, unknown>,
): AuditEvent {
  const user = request?.requestedBy ?? null;
  return {
    action: `key_rotation.${verb}`,
    actor: user !== null ? { kind: 'user', id: user } : { kind: request?.trigger === 'cli' ? 'operator' : 'system' },
    subject: { kind: 'key_rotation', id },
    outcome: verb === 'started' || verb === 'completed' ? 'success' : 'failure',
    workflowId: request?.workflowId ?? null,
    details,
  };
}
