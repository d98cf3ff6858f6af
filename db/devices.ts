import type { DeviceComponents } from '../domain/device.ts';
import { uuidV7 } from '../security/uuid.ts';
import { iso, row, rows, run, type Tx } from './sql.ts';

/** A device as one login presents it. */
export interface PresentedDevice {
  components: DeviceComponents;
  signature: Buffer;
  /** Of the presented cookie or device token, under every key generation; empty without one. */
  cookieHashes: Buffer[];
}

export interface DeviceMatch {
  id: string;
  components: DeviceComponents;
  /** By its cookie, else by an equal signature alone. */
  byCookie: boolean;
}

/** The account's device that a presented one is: by cookie, or by signature where that suffices. Revoked ones never are. */
export async function findDevice(
  tx: Tx,
  userId: string,
  presented: PresentedDevice,
  cookieRequired: boolean,
): Promise<DeviceMatch | undefined> {
  const found = await rows<{ id: string; components: DeviceComponents; by_cookie: boolean }>(
    tx,
    `select id, components, coalesce(cookie_hash = any($2::bytea[]), false) as by_cookie from device
      where user_id = $1 and revoked_at is null and (cookie_hash = any($2::bytea[]) or (signature = $3 and not $4))
      order by by_cookie desc, last_seen_at desc limit 1`,
    [userId, presented.cookieHashes, presented.signature, cookieRequired],
  );
  const match = found[0];
  return match && { id: match.id, components: match.components, byCookie: match.by_cookie };
}

/** Adds a device. @returns its id */
export async function addDevice(
  tx: Tx,
  userId: string,
  device: { components: DeviceComponents; signature: Buffer; cookieHash: Buffer },
): Promise<string> {
  const id = uuidV7();
  await run(
    tx,
    'insert into device (id, user_id, signature, components, cookie_hash) values ($1, $2, $3, $4::jsonb, $5)',
    [id, userId, device.signature, JSON.stringify(device.components), device.cookieHash],
  );
  return id;
}

/**
 * Brings a device up to what it presented at a login that passed. One that came without its cookie gets a new one, which
 * replaces the old.
 */
export async function refreshDevice(
  tx: Tx,
  match: DeviceMatch,
  presented: PresentedDevice,
  newCookieHash: Buffer,
): Promise<void> {
  await row(
    tx,
    `update device set components = $2::jsonb, signature = $3, last_seen_at = clock_timestamp(),
       cookie_hash = coalesce($4, cookie_hash) where id = $1`,
    [match.id, JSON.stringify(presented.components), presented.signature, match.byCookie ? null : newCookieHash],
  );
}

/**
 * The owner says that a device is theirs. A note for them and for staff: no rule of the risk assessment is skipped for it.
 *
 * @returns the device is theirs; undefined where they have no such device
 */
export async function trustDevice(
  tx: Tx,
  userId: string,
  deviceId: string,
): Promise<{ alreadyTrusted: boolean } | undefined> {
  const found = await row<{ trusted: boolean }>(
    tx,
    `select trusted_at is not null as trusted from device
      where id = $1 and user_id = $2 and revoked_at is null for no key update`,
    [deviceId, userId],
  );
  if (found === undefined) return undefined;
  await run(tx, 'update device set trusted_at = clock_timestamp() where id = $1 and trusted_at is null', [deviceId]);
  return { alreadyTrusted: found.trusted };
}

/** Takes back what the owner said about a device that has become another one. @returns whether it was trusted */
export async function withdrawTrust(tx: Tx, deviceId: string): Promise<boolean> {
  return (
    (await run(tx, 'update device set trusted_at = null where id = $1 and trusted_at is not null', [deviceId])) > 0
  );
}

/**
 * Forgets a device: its cookie and its fingerprint are unknown from now on. The caller holds the lock of the owner's row,
 * so that no login opens a session on it meanwhile.
 *
 * @returns false where this person has no such device
 */
export async function revokeDevice(tx: Tx, userId: string, deviceId: string): Promise<boolean> {
  const revoked = await run(
    tx,
    `update device set revoked_at = clock_timestamp(), cookie_hash = null
      where id = $1 and user_id = $2 and revoked_at is null`,
    [deviceId, userId],
  );
  return revoked > 0;
}

export interface ForgottenDevice {
  deviceId: string;
  userId: string;
  lastSeenAt: string;
  wasTrusted: boolean;
}

/**
 * Forgets devices that nobody signed in from for `days` days, trusted ones too: their cookies may lie on machines that
 * were sold since. Rows that a login holds are left for the next round.
 */
export async function forgetUnseenDevices(tx: Tx, days: number, limit: number): Promise<ForgottenDevice[]> {
  const found = await rows<{ id: string; user_id: string; last_seen_at: string; was_trusted: boolean }>(
    tx,
    `with unseen as (
       select id, trusted_at is not null as was_trusted from device
        where revoked_at is null and last_seen_at <= clock_timestamp() - make_interval(days => $1)
        order by last_seen_at limit $2 for no key update skip locked)
     update device d set revoked_at = clock_timestamp(), cookie_hash = null from unseen u where d.id = u.id
     returning d.id, d.user_id, d.last_seen_at, u.was_trusted`,
    [days, limit],
  );
  return found.map((device) => ({
    deviceId: device.id,
    userId: device.user_id,
    lastSeenAt: iso(device.last_seen_at),
    wasTrusted: device.was_trusted,
  }));
}
