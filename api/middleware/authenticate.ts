import type { Database } from '../../db/orm.ts';
import { availableMethods } from '../../db/owned-factors.ts';
import { row } from '../../db/sql.ts';
import { DomainError } from '../../domain/errors.ts';
import { offeredMethods } from '../../domain/login.ts';
import type { Role } from '../../domain/roles.ts';
import type { Keyring } from '../../security/keyring.ts';
import { isOpaqueToken, secretsEqual, tokenHashes, verifyCsrfToken } from '../../security/tokens.ts';
import type { Access, Principal, RequestFacts } from '../route.ts';

export interface AuthenticateDeps {
  db: Database;
  keyring: Keyring;
  /** Name of the session cookie: `__Host-tradeguard` in production. */
  cookieName: string;
  publicOrigin: string;
  stepUpFreshnessMs: number;
  /** What a scraper of metrics sends; undefined where none may. */
  metricsToken?: string | undefined;
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Finds the session of a request and holds it against the route's rule; deny by default. Cookie-borne writes need a
 * same-origin `Origin` and the session's CSRF token, since a browser sends cookies on its own.
 */
export function createAuthenticate(deps: AuthenticateDeps) {
  async function sessionOf(facts: RequestFacts, method: string): Promise<Principal | undefined> {
    const bearer = /^Bearer ([A-Za-z0-9_-]{43})$/.exec(facts.header('authorization') ?? '')?.[1];
    const cookie = facts.cookie(deps.cookieName);
    const token = bearer ?? cookie;
    if (token === undefined || !isOpaqueToken(token)) return undefined;
    const principal = await loadSession(deps, token);
    if (principal === undefined) return undefined;
    if (bearer === undefined && !SAFE_METHODS.has(method)) refuseCrossSite(deps, facts, principal);
    return principal;
  }

  return {
    /**
     * @throws DomainError `session_required`, `forbidden`, `password_change_required`, `step_up_needed`, `csrf_invalid`
     *   or `origin_refused`
     */
    async authorize(access: Access, facts: RequestFacts, method: string): Promise<Principal | undefined> {
      if (access.kind === 'public') return undefined;
      if (access.machine === 'metrics' && isScraper(deps.metricsToken, facts)) return undefined;
      const principal = await sessionOf(facts, method);
      if (principal === undefined)
        throw new DomainError('session_required', 'Sign in first: no valid session was sent.');
      if (principal.scope === 'password_change' && access.passwordChange !== true) {
        throw new DomainError(
          'password_change_required',
          'Choose a password of your own first: POST /api/auth/password.',
        );
      }
      if (!access.roles.includes(principal.role)) throw new DomainError('forbidden', 'Your role may not do this.');
      if (isProofMissing(access, principal, deps.stepUpFreshnessMs)) {
        const available = await availableMethods(deps.db.fork(), principal.userId);
        throw new DomainError('step_up_needed', 'Prove a second factor first: POST /api/auth/step-up.', {
          methods: offeredMethods({ available, proven: [], purpose: 'login' }),
        });
      }
      return principal;
    },
  };
}

export type Authenticate = ReturnType<typeof createAuthenticate>;

function isScraper(token: string | undefined, facts: RequestFacts): boolean {
  const sent = /^Bearer (.+)$/.exec(facts.header('authorization') ?? '')?.[1];
  return token !== undefined && sent !== undefined && secretsEqual(sent, token);
}

function isProofMissing(
  access: Extract<Access, { kind: 'session' }>,
  principal: Principal,
  freshnessMs: number,
): boolean {
  const isRecent = (at: Date | null) => at !== null && Date.now() - at.getTime() <= freshnessMs;
  if (access.freshFactor === true) return !isRecent(principal.factorAt);
  return access.recentProof === true && !isRecent(principal.factorAt) && !isRecent(principal.since);
}

function refuseCrossSite(deps: AuthenticateDeps, facts: RequestFacts, principal: Principal): void {
  const origin = facts.header('origin');
  if (origin !== deps.publicOrigin) {
    throw new DomainError('origin_refused', 'A write with a cookie needs the Origin header of this site.');
  }
  const csrf = facts.header('x-csrf-token') ?? '';
  if (!verifyCsrfToken(deps.keyring, principal.sessionId, csrf)) {
    throw new DomainError('csrf_invalid', 'Send the X-CSRF-Token of this session: GET /api/auth/csrf.');
  }
}

async function loadSession({ db, keyring }: AuthenticateDeps, token: string): Promise<Principal | undefined> {
  const found = await row<{
    id: string;
    user_id: string;
    scope: 'full' | 'password_change';
    channel: 'cookie' | 'bearer';
    factor_at: string | null;
    created_at: string;
    role: Role;
    email: string;
    full_name: string;
  }>(
    db.fork(),
    // When it was last used is kept to the minute: a row a request would be a write a request.
    `with found as (
       select s.id, s.user_id, s.scope, s.channel, s.factor_at, s.created_at, u.role, u.email, u.full_name
         from session s join app_user u on u.id = s.user_id
        where s.token_hash = any($1) and s.revoked_at is null and s.expires_at > clock_timestamp()
          and u.disabled_at is null),
     seen as (
       update session s set last_seen_at = clock_timestamp() from found
        where s.id = found.id and s.last_seen_at < clock_timestamp() - interval '1 minute')
     select * from found`,
    [tokenHashes(keyring, 'session', token)],
  );
  if (found === undefined) return undefined;
  return {
    sessionId: found.id,
    userId: found.user_id,
    role: found.role,
    email: found.email,
    fullName: found.full_name,
    scope: found.scope,
    channel: found.channel,
    factorAt: found.factor_at === null ? null : new Date(found.factor_at),
    since: new Date(found.created_at),
  };
}
