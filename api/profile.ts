import { z } from 'zod';
import { createPiiReveals, REVEALS_AN_HOUR, type RevealRequest } from '../db/pii-reveals.ts';
import {
  changeProfile,
  PII_FIELDS,
  type ProfileChanges,
  readMaskedProfile,
  SEARCHABLE_FIELDS,
} from '../db/profiles.ts';
import { parseBankAccount, parseEin, parseItin, parsePhone, parseSsn } from '../domain/pii.ts';
import { ROLES } from '../domain/roles.ts';
import type { ApiDeps } from './deps.ts';
import { nameInput, textInput, timeZoneInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, type RouteContext, route } from './route.ts';

/** Text that `parse` brings to its one spelling; the value itself never stands in the refusal. */
function parsed(parse: (text: string) => string | undefined, what: string) {
  return z
    .string()
    .max(64)
    .transform((text, context) => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.issues.push({ code: 'custom', message: `must be ${what}`, input: '' });
      return z.NEVER;
    });
}

const NUMBERS = {
  ssn: parsed(parseSsn, 'a Social Security number as 123-45-6789 that can have been issued'),
  accountNumber: parsed(parseBankAccount, 'an account of 5 to 17 digits, or an IBAN with right check digits'),
  ein: parsed(parseEin, 'an Employer Identification Number as 12-3456789'),
  itin: parsed(parseItin, 'an Individual Taxpayer Identification Number as 912-70-1234'),
};
const changeBody = z
  .strictObject({
    fullName: nameInput(200).optional(),
    timeZone: timeZoneInput.nullable().optional(),
    phone: parsed(parsePhone, 'a telephone number as +14155550123').nullable().optional(),
    address: textInput(1, 500).nullable().optional(),
    ssn: NUMBERS.ssn.nullable().optional(),
    accountNumber: NUMBERS.accountNumber
      .nullable()
      .optional()
      .describe('At an outside bank: where money is paid out to'),
    ein: NUMBERS.ein.nullable().optional(),
    itin: NUMBERS.itin.nullable().optional(),
  })
  .refine((body) => Object.keys(body).length > 0, 'name at least one member');

/** Where money is paid out to: who changes it decides where money goes, as who orders a withdrawal does. */
const changesPayout = (body: z.output<typeof changeBody>) => body.accountNumber !== undefined;

const masked = z.string().nullable();
const profileSchema = z.object({
  fullName: z.string(),
  timeZone: z.string().nullable(),
  phone: masked,
  address: masked,
  ssn: masked.describe('XXX-XX-1234'),
  accountNumber: masked.describe('****6789'),
  ein: masked,
  itin: masked,
  updatedAt: z.iso.datetime().nullable(),
});

const fields = z
  .array(z.enum(PII_FIELDS))
  .min(1)
  .max(PII_FIELDS.length)
  .refine((names) => new Set(names).size === names.length, 'must name each field once');
const reason = textInput(5, 500);
const caseReference = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{2,39}$/, 'must be the id of a case: letters, digits and dashes');
const revealedSchema = z.object({ fields: z.partialRecord(z.enum(PII_FIELDS), z.string().nullable()) });
nameSchemas({ Profile: profileSchema, RevealedProfile: revealedSchema });
const searchBody = z
  .strictObject({ field: z.enum(SEARCHABLE_FIELDS), value: z.string().max(64), reason, caseReference })
  .transform((body, context) => {
    const value = NUMBERS[body.field].safeParse(body.value);
    if (value.success) return { ...body, value: value.data };
    const message = value.error.issues[0]?.message ?? 'is not valid';
    context.issues.push({ code: 'custom', path: ['value'], message, input: '' });
    return z.NEVER;
  });

const LIMITED = { description: `More than ${REVEALS_AN_HOUR} an hour` };
const ALTERED = { description: 'field_tampered: a stored value was altered and is not shown' };
const FACTOR = { description: 'A second factor is needed first' };

/** Personal data: written encrypted, read masked, shown in the clear only on record. */
export function createProfileRoutes({ db, keyring, audit }: ApiDeps): Route[] {
  const reveals = createPiiReveals({ db, keyring, audit });

  function shown(context: RouteContext, userId: string) {
    return readMaskedProfile(db.fork(), keyring, userId).catch((error) =>
      reveals.reportTampering(error, userId, context.request.requestId),
    );
  }

  async function reveal(
    context: RouteContext,
    userId: string,
    asked: { fields: z.output<typeof fields>; reason: string; caseReference: string | null },
  ) {
    const revealed = await reveals
      .reveal(userId, asked.fields, requestOf(context, asked))
      .catch((error) => reveals.reportTampering(error, userId, context.request.requestId));
    return { status: 200, body: { fields: revealed } };
  }

  return [
    route({
      method: 'get',
      path: '/api/profile',
      name: 'getProfile',
      summary: "The caller's profile, personal data masked",
      access: { kind: 'session', roles: ROLES, ownership: 'own' },
      responses: { 200: { description: 'The profile', schema: profileSchema }, 409: ALTERED },
      handler: async (context) => ({ status: 200, body: await shown(context, principalOf(context).userId) }),
    }),
    route({
      method: 'put',
      path: '/api/profile',
      name: 'changeProfile',
      summary:
        'Change the members that are named; null clears one. Needs a fresh factor, and is signed where it names accountNumber',
      access: { kind: 'session', roles: ROLES, ownership: 'own', freshFactor: true },
      signedIf: changesPayout,
      body: changeBody,
      responses: { 200: { description: 'The profile as it is now', schema: profileSchema }, 403: FACTOR, 409: ALTERED },
      handler: async (context) => {
        const { userId } = principalOf(context);
        const { ip, userAgent, requestId } = context.request;
        const by = { actor: { kind: 'user', id: userId } as const, ip, userAgent, requestId };
        const changes = context.body as ProfileChanges;
        await db.transaction((tx) => changeProfile(tx, { keyring, audit }, { userId, changes, by }));
        return { status: 200, body: await shown(context, userId) };
      },
    }),
    route({
      method: 'post',
      path: '/api/profile/reveal',
      name: 'revealProfile',
      summary: 'Own personal data in the clear, on record; needs a fresh factor',
      access: { kind: 'session', roles: ROLES, ownership: 'own', freshFactor: true },
      body: z.strictObject({ fields, reason }),
      responses: {
        200: { description: 'The values', schema: revealedSchema },
        403: FACTOR,
        409: ALTERED,
        429: LIMITED,
      },
      handler: (context) => reveal(context, principalOf(context).userId, { ...context.body, caseReference: null }),
    }),
    route({
      method: 'post',
      path: '/api/admin/users/{id}/reveal',
      name: 'revealUserProfile',
      summary: "Somebody's personal data in the clear, for a named case and on record; needs a fresh factor",
      access: { kind: 'session', roles: ['admin'], ownership: 'any', freshFactor: true },
      params: z.object({ id: z.uuid() }),
      body: z.strictObject({ fields, reason, caseReference }),
      responses: {
        200: { description: 'The values', schema: revealedSchema },
        403: FACTOR,
        404: { description: 'not_found' },
        409: ALTERED,
        429: LIMITED,
      },
      handler: (context) => reveal(context, context.params.id, context.body),
    }),
    route({
      method: 'post',
      path: '/api/admin/users/search',
      name: 'searchUsersByNumber',
      summary: 'Who has exactly this number, for a named case and on record; needs a fresh factor',
      access: { kind: 'session', roles: ['admin'], ownership: 'any', freshFactor: true },
      body: searchBody,
      responses: {
        200: { description: 'Their ids', schema: z.object({ userIds: z.array(z.uuid()) }) },
        403: FACTOR,
        429: LIMITED,
      },
      handler: async (context) => {
        const { field, value } = context.body;
        return { status: 200, body: { userIds: await reveals.search(field, value, requestOf(context, context.body)) } };
      },
    }),
  ];
}

function requestOf(context: RouteContext, asked: { reason: string; caseReference: string | null }): RevealRequest {
  const { ip, userAgent, requestId } = context.request;
  return {
    actorId: principalOf(context).userId,
    reason: asked.reason,
    caseReference: asked.caseReference,
    ...{ ip, userAgent, requestId },
  };
}
