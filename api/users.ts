import { z } from 'zod';
import { iso, isoOrNull, row, rows } from '../db/sql.ts';
import { createUserAdministration } from '../db/user-administration.ts';
import { DomainError } from '../domain/errors.ts';
import type { Tier } from '../domain/limits.ts';
import { ASSIGNABLE_ROLES, type Role } from '../domain/roles.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { role, tier } from './enumerations.ts';
import { emailInput, nameInput } from './input.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';

const userSchema = z.object({
  userId: z.uuid(),
  email: z.string(),
  fullName: z.string(),
  role: role,
  tier: tier.describe('Which limits hold for what they move'),
  disabled: z.boolean(),
  restricted: z.boolean(),
  locked: z.boolean(),
  mfa: z.boolean(),
  passwordChangeRequired: z.boolean(),
  createdAt: z.iso.datetime(),
  disabledAt: z.iso.datetime().nullable(),
});
const oneTimeSchema = z.object({ userId: z.uuid(), oneTimePassword: z.string().describe('Shown only now') });
const createdSchema = userSchema.extend(oneTimeSchema.shape);
const listQuery = z.object({
  role: role.optional().describe('Of this role'),
  email: emailInput.optional().describe('Exactly this address'),
  ...pageQuery,
});
const createBody = z.strictObject({
  email: emailInput,
  fullName: nameInput(200),
  role: z.enum(ASSIGNABLE_ROLES),
});
const changeBody = z
  .strictObject({
    role: z.enum(ASSIGNABLE_ROLES).optional(),
    tier: tier.optional(),
    disabled: z.boolean().optional(),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), 'name a role, a tier or disabled');
nameSchemas({ User: userSchema, CreatedUser: createdSchema, OneTimePassword: oneTimeSchema });
const userPath = z.object({ id: z.uuid() });

interface UserRow {
  id: string;
  email: string;
  full_name: string;
  role: Role;
  tier: Tier;
  disabled_at: string | null;
  restricted: boolean;
  locked: boolean;
  mfa: boolean;
  password_one_time: boolean;
  created_at: string;
}

const USERS = `select u.id, u.email, u.full_name, u.role, u.tier, u.disabled_at, u.restricted_at is not null as restricted,
    exists (select from lockout l where l.user_id = u.id and l.unlocked_at is null
      and l.locked_until > clock_timestamp()) as locked,
    exists (select from totp_factor f where f.user_id = u.id and f.confirmed_at is not null) as mfa,
    u.password_one_time, u.created_at
  from app_user u`;

const READERS = { kind: 'session', roles: ['admin', 'auditor'], ownership: 'any' } as const;
const ADMINS = { kind: 'session', roles: ['admin'], ownership: 'any', freshFactor: true } as const;

/** Accounts of staff, and everybody's role and state. */
export function createUserRoutes(deps: ApiDeps): Route[] {
  const { db } = deps;
  const administration = createUserAdministration(deps);

  const acting = (context: RouteContext) => ({
    actor: { kind: 'user', id: principalOf(context).userId } as const,
    ip: context.request.ip,
    userAgent: context.request.userAgent,
    requestId: context.request.requestId,
  });

  async function list({ query }: RouteContext<unknown, z.output<typeof listQuery>>): Promise<Reply> {
    const after = decodeCursor(query.cursor);
    const found = await rows<UserRow>(
      db.fork(),
      `${USERS} where ($1::text is null or u.role = $1) and ($2::text is null or u.email_key = lower($2))
         and ($3::timestamptz is null or (u.created_at, u.id) < ($3, $4::uuid))
       order by u.created_at desc, u.id desc limit $5`,
      [query.role ?? null, query.email ?? null, after?.at ?? null, after?.id ?? null, query.limit + 1],
    );
    const page = pageOf(found, query.limit, ({ created_at, id }) => ({ at: created_at, id }));
    return { status: 200, body: { ...page, items: page.items.map(view) } };
  }

  async function viewOf(userId: string) {
    const found = await row<UserRow>(db.fork(), `${USERS} where u.id = $1`, [userId]);
    if (found === undefined) throw new DomainError('not_found', 'There is no such user.');
    return view(found);
  }

  async function create(context: RouteContext<unknown, unknown, z.output<typeof createBody>>): Promise<Reply> {
    const { userId, oneTimePassword } = await administration.create(context.body, acting(context));
    return { status: 201, body: { ...(await viewOf(userId)), oneTimePassword } };
  }

  async function change(
    context: RouteContext<z.output<typeof userPath>, unknown, z.output<typeof changeBody>>,
  ): Promise<Reply> {
    const { id } = context.params;
    const { role, tier, disabled } = context.body;
    if (tier !== undefined && id === principalOf(context).userId) {
      throw new DomainError('own_account', 'Your own limits are another administrator’s to change.');
    }
    if (disabled !== undefined) await administration.setDisabled(id, disabled, acting(context));
    if (tier !== undefined) await administration.setTier(id, tier, acting(context));
    if (role !== undefined) await administration.setRole(id, role, acting(context));
    return { status: 200, body: await viewOf(id) };
  }

  return [
    route({
      method: 'get',
      path: '/api/admin/users',
      name: 'listUsers',
      summary: 'Accounts, newest first',
      access: READERS,
      query: listQuery,
      responses: {
        200: {
          description: 'A page',
          schema: listSchema('UserList', userSchema),
        },
      },
      handler: list,
    }),
    route({
      method: 'get',
      path: '/api/admin/users/{id}',
      name: 'getUser',
      summary: 'One account',
      access: READERS,
      params: userPath,
      responses: { 200: { description: 'The account', schema: userSchema }, 404: { description: 'not_found' } },
      handler: async ({ params }) => ({ status: 200, body: await viewOf(params.id) }),
    }),
    route({
      method: 'post',
      path: '/api/admin/users',
      name: 'createUser',
      summary: 'Add somebody with a one-time password',
      access: ADMINS,
      body: createBody,
      responses: {
        201: { description: 'Added', schema: createdSchema },
        409: { description: 'already_exists' },
      },
      handler: create,
    }),
    route({
      method: 'patch',
      path: '/api/admin/users/{id}',
      name: 'changeUser',
      summary: 'Give another role or tier, disable or enable; sessions end, but for a tier',
      access: ADMINS,
      params: userPath,
      body: changeBody,
      responses: {
        200: { description: 'Changed', schema: userSchema },
        403: { description: 'own_account, or step_up_needed' },
        404: { description: 'not_found' },
        409: { description: 'last_admin' },
      },
      handler: change,
    }),
    route({
      method: 'post',
      path: '/api/admin/users/{id}/reset-password',
      name: 'resetUserPassword',
      summary: 'Replace the password by a one-time password; sessions end; needs a fresh factor',
      access: ADMINS,
      params: userPath,
      responses: { 200: { description: 'Replaced', schema: oneTimeSchema }, 404: { description: 'not_found' } },
      handler: async (context) => ({
        status: 200,
        body: {
          userId: context.params.id,
          oneTimePassword: await administration.resetPassword(context.params.id, acting(context)),
        },
      }),
    }),
    route({
      method: 'post',
      path: '/api/admin/users/{id}/reset-mfa',
      name: 'resetUserMfa',
      summary: 'Take the authenticator away; sessions end; needs a fresh factor',
      access: ADMINS,
      params: userPath,
      responses: { 200: { description: 'Reset', schema: userSchema }, 404: { description: 'not_found' } },
      handler: async (context) => {
        await administration.resetMfa(context.params.id, acting(context));
        return { status: 200, body: await viewOf(context.params.id) };
      },
    }),
  ];
}

function view(found: UserRow) {
  return {
    userId: found.id,
    email: found.email,
    fullName: found.full_name,
    role: found.role,
    tier: found.tier,
    disabled: found.disabled_at !== null,
    restricted: found.restricted,
    locked: found.locked,
    mfa: found.mfa,
    passwordChangeRequired: found.password_one_time,
    createdAt: iso(found.created_at),
    disabledAt: isoOrNull(found.disabled_at),
  };
}
