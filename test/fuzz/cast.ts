import type { Database } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import type { Role } from '../../domain/roles.ts';
import type { Config } from '../../platform/config.ts';
import type { Keyring } from '../../security/keyring.ts';
import type { HttpClient } from '../helpers/http.ts';
import { createOwnedObjects } from '../helpers/owned-objects.ts';
import { createPeople, type SignedIn } from '../helpers/people.ts';
import { type IssuedSigningKey, issueSigningKey } from '../helpers/signing.ts';
import { createTrading } from '../helpers/trading.ts';

/** Who sends fuzzed requests: somebody without a session, and every role that a person may have. */
export const CALLERS = ['anonymous', 'customer', 'reviewer', 'auditor', 'admin'] as const;
export type Caller = (typeof CALLERS)[number];

/** What a request of somebody signed in is sent with. */
export interface Credentials {
  token: string;
  key: IssuedSigningKey;
}

/** A session younger than this still has a fresh second factor, with a minute to spare. */
const SESSION_AGE_MS = 4 * 60_000;

interface Actor {
  person: SignedIn;
  key: IssuedSigningKey;
  token: string;
  since: number;
}

/** The instance that is fuzzed, as far as people are made in it. */
export interface Stage {
  api: HttpClient;
  db: Database;
  keyring: Keyring;
  config: Config;
}

/**
 * People of every role who always have a session with a fresh factor and a signing key. Fuzzed calls log out, change
 * passwords, revoke keys and disable accounts; whoever lost something that way is replaced by somebody new.
 */
export function createCast(stage: Stage) {
  const people = createPeople(stage);
  const objects = createOwnedObjects(stage);
  const trading = createTrading({ ...stage, people });
  const actors = new Map<Role, Promise<Actor>>();

  async function engage(role: Role): Promise<Actor> {
    const person = await people.signedIn(role);
    if (role === 'customer' || role === 'admin') {
      const trader = await trading.trader('100000.00', person);
      return { person, key: trader.signingKey, token: person.token, since: Date.now() };
    }
    return { person, key: await issueSigningKey(stage.api, person.token), token: person.token, since: Date.now() };
  }

  function actorOf(role: Role): Promise<Actor> {
    const known = actors.get(role);
    if (known !== undefined) return known;
    const engaged = engage(role);
    actors.set(role, engaged);
    return engaged;
  }

  return {
    /** Credentials that work now, as far as anybody knows. */
    async credentials(role: Role): Promise<Credentials> {
      const actor = await actorOf(role);
      if (Date.now() - actor.since > SESSION_AGE_MS) {
        actor.since = Date.now();
        actor.token = (await objects.session(actor.person.userId)).token;
      }
      return { token: actor.token, key: actor.key };
    },

    /** The holder of this token has lost the session, a key or the role: from now on somebody else plays. */
    async replace(role: Role, lost: Credentials): Promise<void> {
      const actor = await actors.get(role);
      if (actor?.token === lost.token) actors.delete(role);
    },

    /** Gives the path parameters something to name: two people's devices, keys, passkeys, sessions and transactions. */
    async furnish(): Promise<void> {
      const owners = [(await actorOf('customer')).person, await people.signedIn('customer')];
      for (const owner of owners) {
        for (const list of objects.lists) await objects.objectOf(`${list}/{id}`, owner);
        await trading.held(await trading.trader('5000.00', owner));
      }
    },

    /** Up to five ids of what a path such as `/api/devices/{id}` names, the youngest first. */
    async knownIds(path: string): Promise<string[]> {
      const query = TABLES.find(([prefix]) => path.startsWith(prefix))?.[1];
      if (query === undefined) return [];
      const found = await rows<{ id: string }>(stage.db.fork(), `select id from ${query} order by id desc limit 5`);
      return found.map(({ id }) => id);
    },
  };
}

export type Cast = ReturnType<typeof createCast>;

/** Where the ids of a path's placeholder lie; the first prefix that fits counts. */
const TABLES: readonly (readonly [string, string])[] = [
  ['/api/auth/sessions/', 'session'],
  ['/api/auth/mfa/webauthn/', 'webauthn_credential'],
  ['/api/auth/login/', 'login'],
  ['/api/devices/', 'device'],
  ['/api/signing-keys/', 'signing_key'],
  ['/api/transactions/', 'transaction'],
  ['/api/admin/security/transactions/', 'transaction'],
  ['/api/admin/security/incidents/', 'incident'],
  ['/api/admin/security/accounts/', 'app_user'],
  ['/api/admin/security/audit-logs/verifications/', 'audit_verification'],
  ['/api/admin/users/', 'app_user'],
  ['/api/admin/keys/rotations/', 'key_rotation'],
  ['/api/admin/backups/restore-drills/', 'restore_drill'],
  ['/api/admin/backups/', 'backup_run'],
];
