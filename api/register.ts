import { z } from 'zod';
import { addDevice } from '../db/devices.ts';
import { oneRow, row, rows, run, type Tx } from '../db/sql.ts';
import { createSubjectKeys } from '../db/subject-keys.ts';
import { type Credentials, createUser, credentialsByEmail } from '../db/users.ts';
import { addressTakenLetter, confirmationLetter } from '../domain/account-letters.ts';
import { DomainError } from '../domain/errors.ts';
import { hashToken, newOpaqueToken, tokenHashes } from '../security/tokens.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { ApiDeps } from './deps.ts';
import { describeDevice, deviceInput } from './device-input.ts';
import { emailInput, nameInput, passwordInput, timeZoneInput, tokenInput } from './input.ts';
import { requireGoodPassword } from './new-password.ts';
import { type Reply, type RequestFacts, type Route, type RouteContext, route } from './route.ts';
import { createTokenDelivery } from './session-tokens.ts';

const registerBody = z.strictObject({
  email: emailInput,
  password: passwordInput.describe('12 to 128 characters, none of the breached ones'),
  fullName: nameInput(200),
  timeZone: timeZoneInput.optional(),
  device: deviceInput,
});
const confirmBody = z.strictObject({ token: tokenInput });

const CONFIRMATION_TTL_MS = 86_400_000;
/** Letters in an hour that strangers can have sent to one address by registering it. */
const MAX_CONFIRMATIONS_PER_HOUR = 3;

interface Registration {
  email: string;
  fullName: string;
  timeZone: string | null;
  passwordHash: string;
  device: Parameters<typeof addDevice>[2];
}

/** Opening an account. Whether an address has one already is told to its owner alone. */
export function createRegisterRoutes(deps: ApiDeps): Route[] {
  const { config, db, keyring, audit, outbox, passwords } = deps;
  const newUsers = { audit, subjectKeys: createSubjectKeys({ keyring }) };
  const delivery = createTokenDelivery({ keyring, production: config.production });

  async function register({
    body,
    request,
  }: RouteContext<unknown, unknown, z.output<typeof registerBody>>): Promise<Reply> {
    requireGoodPassword(deps, body.password, [body.email, body.fullName], '/password');
    const passwordHash = await passwords.hash(body.password);
    const deviceToken = newOpaqueToken();
    const cookieHash = hashToken(keyring, 'device-cookie', deviceToken);
    const registration: Registration = {
      email: body.email,
      fullName: body.fullName,
      timeZone: body.timeZone ?? null,
      passwordHash,
      device: { ...describeDevice(body.device), cookieHash },
    };
    await db.transaction((tx) =>
      config.registrationConfirm
        ? registerToConfirm(tx, registration, request)
        : registerNow(tx, registration, request),
    );
    const { cookies, body: handed } = delivery.device(request.channel, deviceToken);
    return { status: 201, ...(cookies ? { cookies } : {}), body: { status: 'registered', ...handed } };
  }

  async function registerNow(tx: Tx, given: Registration, request: RequestFacts): Promise<void> {
    const created = await newAccount(tx, given, given.passwordHash, request);
    if (created === undefined) return tellOwner(tx, given.email);
    await addFirstDevice(tx, created, given, request);
  }

  /** The account exists without a password until its mailbox says whose registration counts. */
  async function registerToConfirm(tx: Tx, given: Registration, request: RequestFacts): Promise<void> {
    const existing = await credentialsByEmail(tx, given.email);
    if (existing?.passwordHash) return tellOwner(tx, given.email, existing);
    const userId =
      existing?.id ??
      (await newAccount(tx, given, null, request)) ??
      // Somebody registered it between our look and now.
      (await credentialsByEmail(tx, given.email))?.id;
    if (userId === undefined) throw new Error('an address that is taken belongs to somebody');
    const { sent } = await oneRow<{ sent: number }>(
      tx,
      `select count(*)::int as sent from email_confirmation
        where user_id = $1 and created_at > clock_timestamp() - interval '1 hour'`,
      [userId],
    );
    if (sent >= MAX_CONFIRMATIONS_PER_HOUR) return;
    const deviceId = await addFirstDevice(tx, userId, given, request);
    const id = uuidV7();
    const token = newOpaqueToken();
    await run(
      tx,
      `insert into email_confirmation (id, user_id, token_hash, password_hash, full_name, time_zone, device_id, expires_at)
       values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8 * interval '1 ms')`,
      [
        id,
        userId,
        hashToken(keyring, 'reset-token', token),
        given.passwordHash,
        given.fullName,
        given.timeZone,
        deviceId,
        CONFIRMATION_TTL_MS,
      ],
    );
    await outbox.enqueue(tx, {
      ...confirmationLetter(config.publicOrigin, token, CONFIRMATION_TTL_MS),
      key: `confirmation:${id}`,
      userId,
      to: given.email,
    });
  }

  async function addFirstDevice(tx: Tx, userId: string, given: Registration, request: RequestFacts): Promise<string> {
    const deviceId = await addDevice(tx, userId, given.device);
    const { ip, userAgent, requestId } = request;
    await audit.append(tx, {
      action: 'device.added',
      // Who registers an address has not shown yet that it is theirs.
      actor: { kind: 'anonymous' },
      subject: { kind: 'user', id: userId },
      outcome: 'success',
      ...{ ip, userAgent, requestId },
      details: { deviceId },
    });
    return deviceId;
  }

  function newAccount(tx: Tx, given: Registration, passwordHash: string | null, request: RequestFacts) {
    const { email, fullName, timeZone } = given;
    const { ip, userAgent, requestId } = request;
    const actor = { kind: 'anonymous' } as const;
    return createUser(tx, newUsers, {
      ...{ email, fullName, timeZone, passwordHash, actor, ip, userAgent, requestId },
      role: 'customer',
      oneTime: false,
      confirmed: false,
    });
  }

  /** One letter an hour, however often somebody tries. */
  async function tellOwner(tx: Tx, email: string, known?: Credentials): Promise<void> {
    const owner = known ?? (await credentialsByEmail(tx, email));
    if (owner === undefined) throw new Error('an address that is taken belongs to somebody');
    await outbox.enqueue(tx, {
      ...addressTakenLetter(config.publicOrigin),
      key: `address-taken:${owner.id}:${Math.floor(Date.now() / 3_600_000)}`,
      userId: owner.id,
      to: owner.email,
    });
  }

  async function confirm({
    body,
    request,
  }: RouteContext<unknown, unknown, z.output<typeof confirmBody>>): Promise<Reply> {
    await db.transaction(async (tx) => {
      const hashes = tokenHashes(keyring, 'reset-token', body.token);
      const found = await row<{ user_id: string }>(
        tx,
        'select user_id from email_confirmation where token_hash = any($1::bytea[])',
        [hashes],
      );
      if (found === undefined) throw tokenInvalid();
      const { user_id: userId } = found;
      await run(tx, 'select 1 from app_user where id = $1 for no key update', [userId]);
      const used = await row<{ device_id: string }>(
        tx,
        `update email_confirmation c set used_at = clock_timestamp() from app_user u
          where c.token_hash = any($1::bytea[]) and c.used_at is null and c.expires_at > clock_timestamp()
            and u.id = c.user_id and u.password_hash is null
          returning c.device_id`,
        [hashes],
      );
      if (used === undefined) throw tokenInvalid();
      await run(
        tx,
        `update app_user u set password_hash = c.password_hash, password_changed_at = clock_timestamp(),
           full_name = c.full_name, time_zone = c.time_zone, email_confirmed_at = clock_timestamp()
           from email_confirmation c where u.id = $1 and c.user_id = u.id and c.device_id = $2`,
        [userId, used.device_id],
      );
      // What others registered under this address, devices included, is void.
      const strangers = await rows<{ id: string }>(
        tx,
        `update device set revoked_at = clock_timestamp() where user_id = $1 and id <> $2 and revoked_at is null
         returning id`,
        [userId, used.device_id],
      );
      await audit.append(tx, {
        action: 'account.confirmed',
        actor: { kind: 'user', id: userId },
        subject: { kind: 'user', id: userId },
        outcome: 'success',
        ip: request.ip,
        userAgent: request.userAgent,
        requestId: request.requestId,
        details: { otherRegistrations: strangers.length },
      });
    });
    return { status: 200, body: { status: 'confirmed' } };
  }

  return [
    route({
      method: 'post',
      path: '/api/auth/register',
      name: 'register',
      summary: 'Open an account',
      access: { kind: 'public' },
      body: registerBody,
      responses: {
        201: {
          description: 'The same answer for an address that has an account: its owner gets a letter',
          schema: z.object({
            status: z.literal('registered'),
            deviceToken: z.string().optional().describe('Send it with the first login; browsers get a cookie'),
          }),
          headers: ['SetCookie'],
        },
        422: { description: 'password_breached' },
      },
      handler: register,
    }),
    route({
      method: 'post',
      path: '/api/auth/confirm',
      name: 'confirmAddress',
      summary: 'Confirm the e-mail address of a new account',
      access: { kind: 'public' },
      body: confirmBody,
      responses: {
        200: { description: 'Confirmed', schema: z.object({ status: z.literal('confirmed') }) },
        400: { description: 'token_invalid' },
      },
      handler: confirm,
    }),
  ];
}

function tokenInvalid(): DomainError {
  return new DomainError('token_invalid', 'The link was used, is too old, or is none of ours.');
}
