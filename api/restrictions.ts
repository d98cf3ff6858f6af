import { z } from 'zod';
import {
  type RecoveryRequest,
  recoveryRequest,
  recoveryRequests,
  requestRecoveryStep,
  stepsDone,
} from '../db/recovery.ts';
import { activeRestriction, freeze, lockForFreeze, type Restriction } from '../db/restrictions.ts';
import { iso, isoOrNull, row, rows, type Tx } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import { nextStep, RECOVERY_STEPS } from '../domain/restriction.ts';
import { workflowIds } from '../workflows/contract.ts';
import { awaitOutcome } from './await-outcome.ts';
import type { ApiDeps } from './deps.ts';
import { textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';
import { tellRestriction } from './restriction-workflow.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';

const accountPath = z.object({ user_id: z.uuid() });
const restrictBody = z.strictObject({ reason: textInput(1, 1000) });
const restoreBody = z
  .discriminatedUnion('step', [
    z.strictObject({
      step: z.literal('identity_verified'),
      caseReference: textInput(1, 100).describe('Where it is written down how the identity was verified'),
    }),
    z.strictObject({ step: z.literal('password_reset') }),
    z.strictObject({ step: z.literal('factors_enrolled') }),
    z.strictObject({ step: z.literal('restored') }),
  ])
  .describe('The next step; each is asked for once the one before is done');

const stepSchema = z.object({
  step: z.enum(RECOVERY_STEPS),
  requestedBy: z.uuid(),
  requestedAt: z.iso.datetime(),
  caseReference: z.string().nullable(),
  begunAt: z.iso.datetime().nullable().describe('When its letter was sent, where it has one'),
  doneAt: z.iso.datetime().nullable().describe('When it was done; password and factors by the owner'),
});
const restrictionSchema = z.object({
  restrictionId: z.uuid(),
  workflowId: z.string(),
  userId: z.uuid(),
  origin: z.enum(['indicators', 'admin']),
  restrictedBy: z.uuid().nullable(),
  reason: z.string(),
  startedAt: z.iso.datetime(),
  liftedAt: z.iso.datetime().nullable(),
  indicators: z.array(z.object({ kind: z.string(), at: z.iso.datetime() })),
  steps: z.array(stepSchema),
  nextStep: z.enum(RECOVERY_STEPS).nullable(),
});
nameSchemas({ RestrictionStep: stepSchema, Restriction: restrictionSchema });

const ADMINS = { kind: 'session', roles: ['admin'], ownership: 'any' } as const;
const READERS = { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'any' } as const;

type AccountContext<B = unknown> = RouteContext<z.output<typeof accountPath>, unknown, B>;

/** Freezing an account by hand, and the way back, which one administrator goes with its owner. */
export function createRestrictionRoutes(deps: ApiDeps): Route[] {
  const { config, db, audit, outbox } = deps;

  function refuseOwn({ params, ...context }: AccountContext): void {
    if (params.user_id === principalOf(context as RouteContext).userId) {
      throw new DomainError('own_account', 'Your own account is another administrator’s to restrict and restore.');
    }
  }

  async function restrict(context: AccountContext<z.output<typeof restrictBody>>): Promise<Reply> {
    refuseOwn(context);
    const { user_id: userId } = context.params;
    const { userId: adminId } = principalOf(context);
    const { ip, userAgent, requestId } = context.request;
    const restriction = await db.transaction(async (tx) => {
      const owner = await lockForFreeze(tx, userId);
      if (owner === undefined) throw unknownAccount();
      const { reason } = context.body;
      const given = { origin: 'admin', restrictedBy: adminId, reason, details: {} } as const;
      const cause = { actor: { kind: 'user', id: adminId }, ip, userAgent, requestId } as const;
      if ((await freeze(tx, { audit, outbox }, owner, given, cause)) === null) {
        throw new DomainError('already_restricted', 'This account is restricted already.');
      }
      return activeRestriction(tx, userId);
    });
    if (restriction === undefined) throw unknownAccount();
    await tellRestriction(deps, { restrictionId: restriction.id, userId });
    return { status: 200, body: await view(restriction) };
  }

  async function restore(context: AccountContext<z.output<typeof restoreBody>>): Promise<Reply> {
    refuseOwn(context);
    const { user_id: userId } = context.params;
    const { body, request } = context;
    const { restriction, stepId } = await db.transaction(async (tx) => {
      const active = await restrictionOf(tx, userId);
      const id = await requestRecoveryStep(tx, { audit }, active, {
        step: body.step,
        caseReference: body.step === 'identity_verified' ? body.caseReference : null,
        by: principalOf(context).userId,
        ip: request.ip,
        userAgent: request.userAgent,
        requestId: request.requestId,
      });
      return { restriction: active, stepId: id };
    });
    await tellRestriction(deps, { restrictionId: restriction.id, userId });
    await awaitOutcome(async () => {
      const { begunAt } = await recoveryRequest(db.fork(), stepId);
      return begunAt === null ? undefined : true;
    }, config.verdictTimeout);
    const liftedAt = body.step === 'restored' ? (await recoveryRequest(db.fork(), stepId)).doneAt : null;
    return { status: 200, body: await view({ ...restriction, liftedAt }) };
  }

  async function restrictionOf(tx: Tx, userId: string): Promise<Restriction> {
    const active = await activeRestriction(tx, userId);
    if (active !== undefined) return active;
    if ((await row(tx, 'select 1 from app_user where id = $1', [userId])) === undefined) throw unknownAccount();
    throw new DomainError('not_restricted', 'This account is not restricted.');
  }

  async function view(restriction: Restriction) {
    const em = db.fork();
    const requests = await recoveryRequests(em, restriction.id);
    const indicators = await rows<{ kind: string; at: string }>(
      em,
      'select kind, at from compromise_indicator where restriction_id = $1 order by at, id',
      [restriction.id],
    );
    return {
      restrictionId: restriction.id,
      workflowId: workflowIds.restriction(restriction.id),
      userId: restriction.userId,
      origin: restriction.origin,
      restrictedBy: restriction.restrictedBy,
      reason: restriction.reason,
      startedAt: iso(restriction.startedAt),
      liftedAt: isoOrNull(restriction.liftedAt),
      indicators: indicators.map(({ kind, at }) => ({ kind, at: iso(at) })),
      steps: requests.map(stepView),
      nextStep: nextStep(stepsDone(requests)),
    };
  }

  return [
    route({
      method: 'get',
      path: '/api/admin/security/accounts/{user_id}/restriction',
      name: 'getRestriction',
      summary: 'Why an account is frozen, and how far its recovery is',
      access: READERS,
      params: accountPath,
      responses: {
        200: { description: 'The restriction that holds', schema: restrictionSchema },
        404: { description: 'not_found' },
        409: { description: 'not_restricted' },
      },
      handler: async ({ params }) => ({
        status: 200,
        body: await view(await restrictionOf(db.fork(), params.user_id)),
      }),
    }),
    route({
      method: 'post',
      path: '/api/admin/security/accounts/{user_id}/restrict',
      name: 'restrictAccount',
      summary: 'Freeze an account: nobody signs in, no money moves, sessions and signing keys end',
      access: ADMINS,
      params: accountPath,
      body: restrictBody,
      responses: {
        200: { description: 'Frozen', schema: restrictionSchema },
        403: { description: 'own_account' },
        404: { description: 'not_found' },
        409: { description: 'already_restricted' },
      },
      handler: restrict,
    }),
    route({
      method: 'post',
      path: '/api/admin/security/accounts/{user_id}/restore',
      name: 'restoreAccount',
      summary: 'Take the next step of a recovery: identity verified, password reset, factors enrolled, restored',
      access: { ...ADMINS, freshFactor: true },
      params: accountPath,
      body: restoreBody,
      responses: {
        200: { description: 'The step was carried out', schema: restrictionSchema },
        403: { description: 'own_account, or step_up_needed' },
        404: { description: 'not_found' },
        409: { description: 'not_restricted, or recovery_out_of_order with the next step' },
        503: { description: 'verdict_pending: recorded, and carried out later' },
      },
      handler: restore,
    }),
  ];
}

function stepView(request: RecoveryRequest) {
  return {
    step: request.step,
    requestedBy: request.requestedBy,
    requestedAt: iso(request.requestedAt),
    caseReference: request.caseReference,
    begunAt: isoOrNull(request.begunAt),
    doneAt: isoOrNull(request.doneAt),
  };
}

function unknownAccount(): DomainError {
  return new DomainError('not_found', 'There is no such account.');
}
