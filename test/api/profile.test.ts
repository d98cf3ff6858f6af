import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPiiReveals, type PiiRevealDeps } from '../../db/pii-reveals.ts';
import { row, rows, run } from '../../db/sql.ts';
import type { SignedIn } from '../helpers/people.ts';
import { type IssuedSigningKey, issueSigningKey } from '../helpers/signing.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const PII = {
  ssn: '536-90-4399',
  accountNumber: '4000123456789',
  ein: '12-3456789',
  itin: '912-70-1234',
  phone: '+1 415 555 0123',
  address: '1 Market St, San Francisco',
};
const PLAIN = ['536904399', '536-90-4399', '4000123456789', '3456789', '912701234', '+14155550123', 'Market St'];
const REASON = 'the tax form asks for it';

let stack: Stack;
let owner: SignedIn;
let signWith: IssuedSigningKey;

beforeAll(async () => {
  stack = await createStack({ worker: false });
});
afterAll(() => stack?.close());
beforeEach(async () => {
  owner = await stack.people.signedIn('customer');
  signWith = await issueSigningKey(stack.api, owner.token);
});

const put = (body: unknown, by = owner) =>
  stack.api.put('/api/profile', body, { token: by.token, ...(by === owner ? { signWith } : {}) });
const reveal = (body: unknown, by = owner) => stack.api.post('/api/profile/reveal', body, { token: by.token });
const revealFor = (userId: string, body: unknown, by: SignedIn) =>
  stack.api.post(`/api/admin/users/${userId}/reveal`, body, { token: by.token });
const storedOf = (userId: string) =>
  row<Record<string, string>>(stack.ownerDb.fork(), 'select * from profile where user_id = $1', [userId]);
const entriesOf = async (userId: string, action: string) =>
  (
    await rows<{ entry: string }>(
      stack.ownerDb.fork(),
      `select entry from audit_entry where entry::jsonb ->> 'action' = $2 and entry::jsonb -> 'subject' ->> 'id' = $1
        order by id`,
      [userId, action],
    )
  ).map(({ entry }) => JSON.parse(entry));
const staleFactor = (userId: string) =>
  run(stack.db.fork(), `update session set factor_at = clock_timestamp() - interval '301 seconds' where user_id = $1`, [
    userId,
  ]);

describe('a profile', () => {
  it('[F1] [F2] [F3] [F4] [F9] [F10] is shown to its owner masked: XXX-XX-1234, ****6789', async () => {
    const answer = await put({ fullName: 'Ada Example', timeZone: 'America/New_York', ...PII });
    expect(answer.status).toBe(200);
    const expected = {
      fullName: 'Ada Example',
      timeZone: 'America/New_York',
      ssn: 'XXX-XX-4399',
      accountNumber: '****6789',
      ein: 'XX-XXX6789',
      itin: 'XXX-XX-1234',
      phone: '****0123',
      address: '****',
      updatedAt: expect.any(String),
    };
    expect(answer.body).toEqual(expected);
    expect((await stack.api.get('/api/profile', { token: owner.token })).body).toEqual(expected);
  });

  it('[F5] [F7] lies in the database as base64url tokens of AES-256-GCM, no plain text anywhere', async () => {
    await put(PII);
    const stored = await storedOf(owner.userId);
    for (const column of ['phone', 'address', 'ssn', 'account_number', 'ein', 'itin']) {
      expect(stored?.[column]).toMatch(/^AQE[\w-]{60,}$/);
    }
    const dump = await row<{ all: string }>(
      stack.ownerDb.fork(),
      `select (select jsonb_agg(p)::text from profile p) || (select string_agg(entry, '') from audit_entry) as all`,
    );
    for (const value of PLAIN) expect(dump?.all).not.toContain(value);
  });

  it('changes what is named, keeps the rest, clears by null, and audits names without values', async () => {
    await put(PII);
    const answer = await put({ ssn: '219-09-9999', phone: null });
    expect(answer.body).toMatchObject({ ssn: 'XXX-XX-9999', phone: null, accountNumber: '****6789' });
    const changes = await entriesOf(owner.userId, 'profile.changed');
    expect(changes.at(-1)?.details).toEqual({ fields: ['phone', 'ssn'], cleared: ['phone'] });
  });

  it.each([
    ['ssn', '000-12-3456'],
    ['ssn', '666-12-3456'],
    ['ssn', '912-70-1234'],
    ['ssn', '536-00-1234'],
    ['ssn', '536-90-0000'],
    ['ssn', '53690439'],
    ['ein', '07-1234567'],
    ['itin', '912-66-1234'],
    ['itin', '536-90-4399'],
    ['accountNumber', 'DE89370400440532013001'],
    ['accountNumber', '1234'],
    ['phone', '555 0123'],
    ['timeZone', 'Mars/Olympus'],
    ['fullName', ''],
    ['nickname', 'Ada'],
  ])('[F1] [F2] [F3] refuses %s %j with an error that does not repeat it, and stores nothing', async (field, value) => {
    const answer = await put({ [field]: value });
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    if (value.length > 3 && field !== 'nickname') expect(JSON.stringify(answer.body)).not.toContain(value);
    expect(await storedOf(owner.userId)).toBeUndefined();
  });

  it('[R6] takes another payout account only from a signed call; other members need no signature', async () => {
    const unsigned = (body: object) => stack.api.put('/api/profile', body, { token: owner.token });
    for (const body of [{ accountNumber: PII.accountNumber }, { accountNumber: null, phone: PII.phone }]) {
      expect(await unsigned(body)).toMatchObject({ status: 401, body: { code: 'signature_invalid' } });
    }
    expect(await storedOf(owner.userId)).toBeUndefined();
    expect((await unsigned({ phone: PII.phone })).body).toMatchObject({ phone: '****0123', accountNumber: null });
    expect((await put({ accountNumber: PII.accountNumber })).body).toMatchObject({ accountNumber: '****6789' });
  });

  it('is changed only after a fresh factor', async () => {
    await staleFactor(owner.userId);
    expect(await put({ ssn: PII.ssn })).toMatchObject({ status: 403, body: { code: 'step_up_needed' } });
    expect(await storedOf(owner.userId)).toBeUndefined();
  });
});

describe('revealing', () => {
  it('[F8] shows the owner exactly the fields asked for, with an audit entry that holds no value', async () => {
    await put(PII);
    const answer = await reveal({ fields: ['ssn', 'accountNumber'], reason: REASON });
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.body).toEqual({ fields: { ssn: '536904399', accountNumber: '4000123456789' } });
    const [entry] = await entriesOf(owner.userId, 'profile.revealed');
    expect(entry).toMatchObject({ outcome: 'success', actor: { id: owner.userId } });
    expect(entry.details).toMatchObject({ fields: ['accountNumber', 'ssn'], caseReference: null });
    expect(JSON.stringify(entry)).not.toContain(REASON);
  });

  it('needs a reason and a second factor of the last five minutes', async () => {
    await put(PII);
    expect((await reveal({ fields: ['ssn'] })).status).toBe(400);
    expect((await reveal({ fields: [], reason: REASON })).status).toBe(400);
    await staleFactor(owner.userId);
    expect(await reveal({ fields: ['ssn'], reason: REASON })).toMatchObject({ body: { code: 'step_up_needed' } });
    expect(await entriesOf(owner.userId, 'profile.revealed')).toEqual([]);
  });

  it('for staff needs a named case and the role of an administrator', async () => {
    await put(PII);
    const admin = await stack.people.signedIn('admin');
    const asked = { fields: ['ssn'], reason: REASON, caseReference: 'CASE-2041' };
    for (const role of ['customer', 'reviewer', 'auditor'] as const) {
      const other = await stack.people.signedIn(role);
      expect(await revealFor(owner.userId, asked, other)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
    const withoutCase = await revealFor(owner.userId, { fields: ['ssn'], reason: REASON }, admin);
    expect(withoutCase.status).toBe(400);
    expect((await revealFor(owner.userId, asked, admin)).body).toEqual({ fields: { ssn: '536904399' } });
    const entries = await entriesOf(owner.userId, 'profile.revealed');
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({ actor: { id: admin.userId }, details: { caseReference: 'CASE-2041' } });
    const unknown = await revealFor('0199c0de-0000-7000-8000-000000000000', asked, admin);
    expect(unknown).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  it('commits the audit entry before anything is decrypted', async () => {
    await put(PII);
    const opened: number[] = [];
    const keyring: PiiRevealDeps['keyring'] = {
      ...stack.keyring,
      openingKey(purpose, keyId) {
        opened.push(Date.now());
        throw new Error(`the process dies here ${purpose} ${keyId}`);
      },
    };
    const reveals = createPiiReveals({ db: stack.db, keyring, audit: stack.audit });
    const request = { actorId: owner.userId, reason: REASON, caseReference: null, ip: null, userAgent: null };
    await expect(reveals.reveal(owner.userId, ['ssn'], { ...request, requestId: 'r-1' })).rejects.toThrow();
    expect(opened).toHaveLength(1);
    expect(await entriesOf(owner.userId, 'profile.revealed')).toHaveLength(1);
  });

  it('is refused after ten an hour, also when they come at once, and the refusal is on record', async () => {
    await put(PII);
    const answers = await Promise.all(Array.from({ length: 13 }, () => reveal({ fields: ['ein'], reason: REASON })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(3);
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(3_500);
    const entries = await entriesOf(owner.userId, 'profile.revealed');
    expect(entries.filter(({ outcome }) => outcome === 'denied')).toHaveLength(3);
    await run(stack.ownerDb.fork(), `update pii_reveal set at = at - interval '61 minutes' where actor_id = $1`, [
      owner.userId,
    ]);
    expect((await reveal({ fields: ['ein'], reason: REASON })).status).toBe(200);
  });
});

describe('staff', () => {
  it('find people by a whole number through its blind index, on record and without decrypting', async () => {
    await put(PII);
    const twin = await stack.people.signedIn('customer');
    expect((await put({ ssn: PII.ssn }, twin)).status).toBe(200);
    const admin = await stack.people.signedIn('admin');
    const search = (body: object) =>
      stack.api.post(
        '/api/admin/users/search',
        { reason: REASON, caseReference: 'CASE-7', ...body },
        { token: admin.token },
      );
    const found = await search({ field: 'ssn', value: '536 90 4399'.replaceAll(' ', '') });
    expect(found.body.userIds).toEqual(expect.arrayContaining([owner.userId, twin.userId]));
    expect((await search({ field: 'ssn', value: '219-09-9998' })).body).toEqual({ userIds: [] });
    const invalid = await search({ field: 'ssn', value: '000-00-0000' });
    expect(invalid).toMatchObject({ status: 400, body: { errors: [{ pointer: '/value' }] } });
    const [entry] = await rows<{ entry: string }>(
      stack.ownerDb.fork(),
      `select entry from audit_entry where entry::jsonb ->> 'action' = 'profile.searched' limit 1`,
    );
    expect(entry?.entry).toContain('CASE-7');
    expect(entry?.entry).not.toContain('536904399');
  });
});

describe('[F11] a token that was altered or moved', () => {
  const incidents = (userId: string) =>
    rows<{ severity: string; status: string }>(
      stack.ownerDb.fork(),
      `select severity, status from incident where cause = 'field_tampered' and subject_id = $1`,
      [userId],
    );

  async function refused() {
    for (const answer of [
      await stack.api.get('/api/profile', { token: owner.token }),
      await reveal({ fields: ['ssn'], reason: REASON }),
    ]) {
      expect(answer).toMatchObject({ status: 409, body: { code: 'field_tampered', place: 'profile.ssn' } });
    }
    await sleep(0);
    expect(await incidents(owner.userId)).toEqual([{ severity: 'critical', status: 'open' }]);
    expect(await entriesOf(owner.userId, 'field.tampered')).toHaveLength(2);
  }

  it('by one bit is refused, with one critical incident', async () => {
    await put(PII);
    const token = (await storedOf(owner.userId))?.ssn ?? '';
    const flipped = Buffer.from(token, 'base64url');
    flipped[32] = (flipped[32] ?? 0) ^ 1;
    await run(stack.ownerDb.fork(), 'update profile set ssn = $2 where user_id = $1', [
      owner.userId,
      flipped.toString('base64url'),
    ]);
    await refused();
  });

  it('from another person is refused', async () => {
    await put(PII);
    const other = await stack.people.signedIn('customer');
    await put({ ssn: '219-09-9999' }, other);
    await run(
      stack.ownerDb.fork(),
      'update profile set ssn = (select ssn from profile where user_id = $2) where user_id = $1',
      [owner.userId, other.userId],
    );
    await refused();
  });

  it('as plain text is refused: there is no fallback', async () => {
    await put(PII);
    await run(stack.ownerDb.fork(), `update profile set ssn = '536904399' where user_id = $1`, [owner.userId]);
    await refused();
  });
});
