import { findAccount } from '../db/ledger.ts';
import type { Database } from '../db/orm.ts';
import { DomainError } from '../domain/errors.ts';
import type { Config } from '../platform/config.ts';
import type { VirtualTime } from '../workflows/contract.ts';
import { type Principal, principalOf, type RouteContext } from './route.ts';

/** Whose transaction it is, and the imported row's own time where it is one. */
export interface ActingFor {
  userId: string;
  virtual: VirtualTime | null;
}

const VIRTUAL_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEADERS = ['x-virtual-time', 'x-on-behalf-of', 'x-outside-features'] as const;

/** The request headers of imports, for the API reference. */
export const IMPORT_HEADERS = {
  'x-virtual-time': { description: "Importer only: the recorded row's time, RFC 3339", required: false },
  'x-on-behalf-of': { description: "Importer only: id of the imported account's owner", required: false },
  'x-outside-features': { description: 'Importer only: `1` funds an account outside its features', required: false },
} as const;

/**
 * Everybody acts for themselves; the importer of recorded transactions acts for the owners of imported accounts, at the
 * times of its rows. It exists outside production alone, where it has to be switched on.
 *
 * @throws DomainError `forbidden`, `validation_failed`, `not_found`
 */
export async function actingFor(deps: { config: Config; db: Database }, context: RouteContext): Promise<ActingFor> {
  const principal = principalOf(context);
  if (principal.role !== 'importer') return actsForThemselves(principal, context);
  if (!deps.config.importerEnabled || deps.config.production) {
    throw new DomainError('forbidden', 'Imports are switched off: start with IMPORTER=1, outside production.');
  }
  const at = context.request.header('x-virtual-time') ?? '';
  const userId = (context.request.header('x-on-behalf-of') ?? '').toLowerCase();
  if (!VIRTUAL_TIME.test(at) || Number.isNaN(Date.parse(at)) || !UUID.test(userId)) {
    throw new DomainError(
      'validation_failed',
      'An import names its row: X-Virtual-Time (RFC 3339) and X-On-Behalf-Of (user id).',
    );
  }
  const account = await findAccount(deps.db.fork(), userId);
  // Times of long ago in a live account would make nonsense of its features.
  if (account?.imported !== true) throw new DomainError('not_found', 'There is no imported account of this user.');
  const outsideFeatures = context.request.header('x-outside-features') === '1';
  return { userId, virtual: { at, outsideFeatures } };
}

function actsForThemselves({ userId }: Principal, context: RouteContext): ActingFor {
  if (HEADERS.some((name) => context.request.header(name) !== undefined)) {
    throw new DomainError('forbidden', `Only the importer may send ${HEADERS.join(', ')}.`);
  }
  return { userId, virtual: null };
}
