import type { DeviceComponents } from '../domain/device.ts';
import { uuidV7 } from '../security/uuid.ts';
import { row, rows, run, type Tx } from './sql.ts';

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
