import { z } from 'zod';
import {
  type AccountFilter,
  type LockoutRow,
  listAccounts,
  readAccount,
  runningLockouts,
} from '../db/account-directory.ts';
import { iso } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import type { Role } from '../domain/roles.ts';
import { workflowIds } from '../workflows/contract.ts';
import {
  accountDetail,
  accountDetailView,
  accountPath,
  accountQuery,
  accountSummary,
  accountView,
} from './account-schema.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { nameSchemas } from './named-schemas.ts';
import { type Access, principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';

export const ACCOUNTS = '/api/admin/security/accounts';
export const STAFF: Access = { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'any' };

const lockoutSchema = z.object({
  lockoutId: z.uuid(),
  workflowId: z.string(),
  userId: z
    .uuid()
    .nullable()
    .describe('Null for an address without an account: nobody can unlock it, and nobody needs to'),
  subject: z.string().describe('Keyed hash of the address'),
  startedAt: z.iso.datetime(),
  lockedUntil: z.iso.datetime(),
  secondsLeft: z.number().int(),
  unlockRequestedBy: z.uuid().nullable(),
  unlockReason: z.string().nullable(),
});
nameSchemas({ Lockout: lockoutSchema });

/** Accounts as staff look them up, and who is locked out now. */
export function createAccountDirectoryRoutes({ db }: ApiDeps): Route[] {
  async function list(context: RouteContext<unknown, z.output<typeof accountQuery>>): Promise<Reply> {
    const { role: reader } = principalOf(context);
    const { email, role, state, limit, cursor } = context.query;
    const filter = { email: addressFilter(email, reader), role, state };
    const found = await listAccounts(db.fork(), filter, { limit: limit + 1, after: decodeCursor(cursor) });
    const page = pageOf(found, limit, ({ created_at, id }) => ({ at: created_at, id }));
    return { status: 200, body: { ...page, items: page.items.map((one) => accountView(one, reader)) } };
  }

  return [
    route({
      method: 'get',
      path: ACCOUNTS,
      name: 'listAccounts',
      summary: 'Accounts by address, role and state, newest first; personal data masked for reviewers',
      access: STAFF,
      query: accountQuery,
      responses: {
        200: {
          description: 'One page',
          schema: z.object({ items: z.array(accountSummary), nextCursor: z.string().nullable() }),
        },
      },
      handler: list,
    }),
    route({
      method: 'get',
      path: `${ACCOUNTS}/{user_id}`,
      name: 'getAccount',
      summary: 'One account: state, factors, lock, restriction, what it has open',
      access: STAFF,
      params: accountPath,
      responses: { 200: { description: 'The account', schema: accountDetail }, 404: { description: 'not_found' } },
      async handler(context) {
        const found = await readAccount(db.fork(), context.params.user_id);
        if (found === undefined) throw unknownAccount();
        return { status: 200, body: accountDetailView(found, principalOf(context).role) };
      },
    }),
    route({
      method: 'get',
      path: '/api/admin/security/lockouts',
      name: 'listLockouts',
      summary: 'Who is locked out now and for how long, those first that are locked longest from now',
      access: STAFF,
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: 'One page',
          schema: z.object({ items: z.array(lockoutSchema), nextCursor: z.string().nullable() }),
        },
      },
      async handler({ query: { limit, cursor } }) {
        const found = await runningLockouts(db.fork(), { limit: limit + 1, after: decodeCursor(cursor) });
        const page = pageOf(found, limit, ({ locked_until, id }) => ({ at: locked_until, id }));
        return { status: 200, body: { ...page, items: page.items.map(lockoutView) } };
      },
    }),
  ];
}

/** Who reads addresses masked must not find one out letter by letter. */
function addressFilter(email: string | undefined, reader: Role): AccountFilter['email'] {
  if (email === undefined) return undefined;
  return reader === 'reviewer' ? { is: email } : { startsWith: email };
}

function lockoutView(one: LockoutRow): z.output<typeof lockoutSchema> {
  return {
    lockoutId: one.id,
    workflowId: workflowIds.lockout(one.id),
    userId: one.user_id,
    subject: one.subject,
    startedAt: iso(one.started_at),
    lockedUntil: iso(one.locked_until),
    secondsLeft: one.seconds_left,
    unlockRequestedBy: one.unlock_requested_by,
    unlockReason: one.unlock_reason,
  };
}

export function unknownAccount(): DomainError {
  return new DomainError('not_found', 'There is no such account.');
}
