import type { Database } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';

/**
 * Ids that stand for something until they are sent: the first two for what the caller owns, the others for what somebody
 * else owns. So the same seed draws the same requests, however often what they name was deleted meanwhile.
 */
export const PLACEHOLDERS = [0, 1, 2, 3].map((n) => `00000000-0000-7000-8000-0000fa1110a${n}`);
const PLACEHOLDER = /00000000-0000-7000-8000-0000fa1110a([0-3])/g;
const OWN = 2;

interface Place {
  /** How the path starts. */
  prefix: string;
  table: string;
  /** Rows that the call can still do something with. */
  alive?: string;
  /** The column that names its owner, where it has one. */
  owner?: string;
}

/** Where the ids of a path lie; the first prefix that fits counts. */
const PLACES: readonly Place[] = [
  { prefix: '/api/auth/sessions/', table: 'session', owner: 'user_id', alive: 'revoked_at is null' },
  { prefix: '/api/auth/mfa/webauthn/', table: 'webauthn_credential', owner: 'user_id' },
  { prefix: '/api/auth/login/', table: 'login' },
  { prefix: '/api/devices/', table: 'device', owner: 'user_id' },
  { prefix: '/api/signing-keys/', table: 'signing_key', owner: 'user_id', alive: 'revoked_at is null' },
  { prefix: '/api/transactions/', table: 'transaction', owner: 'user_id', alive: 'finished_at is null' },
  {
    prefix: '/api/admin/security/transactions/',
    table: 'transaction',
    owner: 'user_id',
    alive: `status = 'quarantined'`,
  },
  { prefix: '/api/admin/security/incidents/', table: 'incident' },
  { prefix: '/api/admin/security/accounts/', table: 'app_user', owner: 'id' },
  { prefix: '/api/admin/security/audit-logs/verifications/', table: 'audit_verification' },
  { prefix: '/api/admin/security/audit-logs/entries/', table: 'audit_entry', alive: `action = 'account.created'` },
  { prefix: '/api/admin/users/', table: 'app_user', owner: 'id' },
  { prefix: '/api/admin/keys/rotations/', table: 'key_rotation' },
  { prefix: '/api/admin/backups/restore-drills/', table: 'restore_drill' },
  { prefix: '/api/admin/backups/', table: 'backup_run' },
];

export interface Owner {
  userId: string;
}

export interface IdDeps<O extends Owner> {
  db: Database;
  /** Makes something that a path starting so names. @returns undefined where it is made by calls alone */
  make: (prefix: string, owner: O) => Promise<string | undefined>;
}

/** Puts into the path of a request the id of something real in the place of each placeholder. */
export function createIds<O extends Owner>({ db, make }: IdDeps<O>) {
  /** The nth youngest. */
  async function find({ table, alive = 'true', owner }: Place, condition: string, userId: string, nth: number) {
    const owned = owner === undefined ? 'true' : `${owner} ${condition} $1`;
    const found = await rows<{ id: string }>(
      db.fork(),
      `select id from ${table} where $1::uuid is not null and ${alive} and ${owned} order by id desc offset $2 limit 1`,
      [userId, nth],
    );
    return found[0]?.id;
  }

  return async (target: string, caller: O, stranger: O): Promise<string> => {
    const place = PLACES.find(({ prefix }) => target.startsWith(prefix));
    if (place === undefined) return target;
    const real = new Map<string, string>();
    for (const [placeholder, digit] of target.matchAll(PLACEHOLDER)) {
      // Without a session nothing is anybody's own: the stranger's is as good as any.
      const isOwn = Number(digit) < OWN || caller.userId === stranger.userId;
      const nth = Number(digit) % OWN;
      const id =
        (await find(place, isOwn ? '=' : '<>', caller.userId, nth)) ??
        (await make(place.prefix, isOwn ? caller : stranger)) ??
        placeholder;
      real.set(placeholder, id);
    }
    return target.replaceAll(PLACEHOLDER, (placeholder) => real.get(placeholder) ?? placeholder);
  };
}
