import type { Database } from '../../db/orm.ts';
import type { Role } from '../../domain/roles.ts';
import type { Config } from '../../platform/config.ts';
import type { Keyring } from '../../security/keyring.ts';
import type { HttpClient } from '../helpers/http.ts';
import { createOwnedObjects } from '../helpers/owned-objects.ts';
import { createPeople } from '../helpers/people.ts';
import type { IssuedSigningKey } from '../helpers/signing.ts';
import { createTrading, type Trader } from '../helpers/trading.ts';
import { createIds } from './ids.ts';

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
  person: Trader;
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
 *
 * @returns the cast, once there is a customer whom nobody plays: the one that the others' requests are about
 */
export async function createCast(stage: Stage) {
  const people = createPeople(stage);
  const objects = createOwnedObjects(stage);
  const trading = createTrading({ ...stage, people });
  const actors = new Map<Role, Promise<Actor>>();
  const stranger = await trading.trader();
  // From now on an unusual withdrawal of theirs is held.
  await trading.past(stranger, { count: 10 });
  const realTarget = createIds<Trader>({ db: stage.db, make });

  async function engage(role: Role): Promise<Actor> {
    const person = await trading.trader('100000.00', await people.signedIn(role));
    return { person, token: person.token, since: Date.now() };
  }

  function actorOf(role: Role): Promise<Actor> {
    const known = actors.get(role);
    if (known !== undefined) return known;
    const engaged = engage(role);
    actors.set(role, engaged);
    return engaged;
  }

  async function make(prefix: string, owner: Trader): Promise<string | undefined> {
    if (prefix === '/api/admin/security/transactions/') {
      return (await stranger.withdraw('500.00', { category: 'jewellery' })).body.transactionId;
    }
    // Above what is settled without a factor.
    if (prefix === '/api/transactions/') return (await owner.withdraw('10001.00')).body.transactionId;
    if (!objects.lists.includes(prefix.slice(0, -1))) return undefined;
    return objects.objectOf(`${prefix}{id}`, owner);
  }

  return {
    /** Somebody whom no request plays. */
    stranger,

    /** Credentials that work now, as far as anybody knows. */
    async credentials(role: Role): Promise<Credentials> {
      const actor = await actorOf(role);
      if (Date.now() - actor.since > SESSION_AGE_MS) {
        actor.since = Date.now();
        actor.token = (await objects.session(actor.person.userId)).token;
      }
      return { token: actor.token, key: actor.person.signingKey };
    },

    /** The holder of this token has lost the session, a key or the role: from now on somebody else plays. */
    async replace(role: Role, lost: Credentials): Promise<void> {
      const actor = await actors.get(role);
      if (actor?.token === lost.token) actors.delete(role);
    },

    /** The target with real ids in the place of placeholders: of what the caller owns, or somebody else. */
    async realTarget(target: string, caller: Caller): Promise<string> {
      return realTarget(target, caller === 'anonymous' ? stranger : (await actorOf(caller)).person, stranger);
    },
  };
}

export type Cast = Awaited<ReturnType<typeof createCast>>;
