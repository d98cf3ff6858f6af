import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, rows, run } from '../../db/sql.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const REASON = 'the regulator asks who this was';

let stack: Stack;
let admin: SignedIn;
let auditor: SignedIn;
beforeAll(async () => {
  stack = await createStack({ worker: false });
  admin = await stack.people.signedIn('admin');
  auditor = await stack.people.signedIn('auditor');
});
afterAll(() => stack?.close());

interface Entry {
  id: string;
  entry: string;
}

const entriesOf = (action: string, subject: string) =>
  rows<Entry>(
    stack.ownerDb.fork(),
    'select id, entry from audit_entry where action = $1 and subject = $2 order by id',
    [action, subject],
  );
const detailsOf = async (action: string, subject: string) =>
  (await entriesOf(action, subject)).map(({ entry }) => JSON.parse(entry));

/** Somebody who registered, with the entry of it. */
async function registered() {
  const { email } = await stack.people.register();
  const { id: userId } = await oneRow<{ id: string }>(stack.db.fork(), 'select id from app_user where email = $1', [
    email,
  ]);
  const [entry] = await entriesOf('account.created', userId);
  if (entry === undefined) throw new Error('there is no entry');
  return { userId, email, entryId: entry.id, entry: entry.entry };
}

const reveal = (entryId: string, by: SignedIn, body: unknown = { reason: REASON }) =>
  stack.api.post(`/api/admin/security/audit-logs/entries/${entryId}/reveal`, body, { token: by.token });
const erase = (userId: string, by = admin, body: unknown = { reason: REASON }) =>
  stack.api.post(`/api/admin/users/${userId}/erase-audit-identity`, body, { token: by.token });
const disable = (userId: string) =>
  stack.api.patch(`/api/admin/users/${userId}`, { disabled: true }, { token: admin.token });
const staleFactor = (userId: string) =>
  run(stack.db.fork(), `update session set factor_at = clock_timestamp() - interval '301 seconds' where user_id = $1`, [
    userId,
  ]);

describe('who an account was', () => {
  it('is in the entry of its creation, sealed, and nowhere in the log in the clear', async () => {
    const customer = await registered();
    const staff = await stack.api.post(
      '/api/admin/users',
      { email: 'grace.hopper@example.com', fullName: 'Grace Hopper', role: 'reviewer' },
      { token: admin.token },
    );
    expect(staff.status).toBe(201);
    const [made] = await detailsOf('user.created', staff.body.userId);
    for (const { sealed } of [JSON.parse(customer.entry).details, made.details]) {
      expect(sealed).toEqual({ email: expect.stringMatching(/^AQ[\w-]{60,}$/), fullName: expect.any(String) });
    }
    const log = await oneRow<{ text: string }>(
      stack.ownerDb.fork(),
      `select string_agg(entry, '') as text from audit_entry`,
    );
    for (const value of [customer.email, 'Test Person', 'grace.hopper', 'Grace Hopper']) {
      expect(log.text).not.toContain(value);
    }
  });

  it('is shown to auditors and administrators, and the log says to whom before they are shown it', async () => {
    const { userId, entryId, email } = await registered();
    for (const by of [auditor, admin]) {
      const answer = await reveal(entryId, by);
      expect(answer).toMatchObject({ status: 200 });
      expect(answer.body).toEqual({
        ...{ entryId, subjectId: userId, action: 'account.created' },
        values: { email, fullName: 'Test Person' },
      });
    }
    const found = await detailsOf('audit.revealed', userId);
    expect(found.map(({ actor }) => actor.id)).toEqual([auditor.userId, admin.userId]);
    expect(found[0]).toMatchObject({
      ...{ outcome: 'success', severity: 'medium', subject: { kind: 'user', id: userId } },
      details: { entryId, members: ['email', 'fullName'], revealId: expect.any(String) },
    });
    expect(JSON.stringify(found)).not.toMatch(new RegExp(`${REASON}|${email}`));
    const kept = await oneRow(stack.ownerDb.fork(), 'select kind, reason, fields from pii_reveal where id = $1', [
      found[0].details.revealId,
    ]);
    expect(kept).toEqual({ kind: 'audit', reason: REASON, fields: ['email', 'fullName'] });
  });

  it('takes a reason, a fresh factor, and an entry that holds something sealed', async () => {
    const { entryId, userId } = await registered();
    const other = await stack.people.signedIn('auditor');
    for (const body of [{}, { reason: 'why' }, { reason: REASON, more: 1 }]) {
      expect(await reveal(entryId, other, body)).toMatchObject({ status: 400 });
    }
    const reviewer = await stack.people.signedIn('reviewer');
    expect(await reveal(entryId, reviewer)).toMatchObject({ status: 403 });
    const [added] = await entriesOf('device.added', userId);
    expect(await reveal(added?.id ?? '', other)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await reveal(userId, other)).toMatchObject({ status: 404 });
    await staleFactor(other.userId);
    expect(await reveal(entryId, other)).toMatchObject({ status: 403, body: { code: 'step_up_needed' } });
    expect(await entriesOf('audit.revealed', userId)).toEqual([]);
  });

  it('is shown ten times an hour, reveals of profiles included', async () => {
    const curious = await stack.people.signedIn('admin');
    const { entryId, userId } = await registered();
    const profile = await stack.api.post(
      `/api/admin/users/${userId}/reveal`,
      { fields: ['phone'], reason: REASON, caseReference: 'CASE-1' },
      { token: curious.token },
    );
    expect(profile.status).toBe(200);
    const answers = await Promise.all(Array.from({ length: 12 }, () => reveal(entryId, curious)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(9).fill(200), 429, 429, 429]);
    const outcomes = (await detailsOf('audit.revealed', userId)).map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === 'denied')).toHaveLength(3);
  });

  it('is not shown when its token was altered, which is an incident', async () => {
    const curious = await stack.people.signedIn('auditor');
    const [one, two] = [await registered(), await registered()];
    const { key } = await oneRow<{ key: string }>(
      stack.ownerDb.fork(),
      'select key from subject_key where subject = $1',
      [one.userId],
    );
    await run(stack.ownerDb.fork(), 'update subject_key set key = $2 where subject = $1', [two.userId, key]);
    expect(await reveal(two.entryId, curious)).toMatchObject({ status: 409, body: { code: 'field_tampered' } });
    // On record all the same: it was committed before anything was opened.
    expect(await entriesOf('audit.revealed', two.userId)).toHaveLength(1);
    expect(await detailsOf('field.tampered', two.userId)).toHaveLength(1);
    const incident = await oneRow(stack.ownerDb.fork(), `select severity from incident where subject_id = $1`, [
      two.userId,
    ]);
    expect(incident).toEqual({ severity: 'critical' });
  });
});

describe('erasing it', () => {
  it('leaves entry, account and profile, and the name is gone for ever', async () => {
    const { userId, entryId, entry } = await registered();
    await disable(userId);
    const answer = await erase(userId);
    expect(answer).toMatchObject({ status: 200, body: { userId, erasedAt: expect.stringMatching(/Z$/) } });
    expect((await erase(userId)).body).toEqual(answer.body);
    expect(await reveal(entryId, auditor)).toMatchObject({
      status: 410,
      body: { code: 'erased', erasedAt: answer.body.erasedAt },
    });
    const [after] = await entriesOf('account.created', userId);
    expect(after?.entry).toBe(entry);
    expect((await stack.api.get(`/api/admin/users/${userId}`, { token: admin.token })).body).toMatchObject({
      fullName: 'Test Person',
    });
    const found = await detailsOf('subject.shredded', userId);
    expect(found).toMatchObject([{ actor: { kind: 'user', id: admin.userId }, details: { source: 'request' } }]);
    expect(JSON.stringify(found)).not.toContain(REASON);
    expect(await entriesOf('audit.revealed', userId)).toEqual([]);
  });

  it('is refused for an account that works, for one’s own, and without a fresh factor', async () => {
    const { userId, entryId } = await registered();
    expect(await erase(userId)).toMatchObject({
      status: 409,
      body: { code: 'account_in_use', obstacles: ['not_disabled'] },
    });
    expect(await erase(admin.userId)).toMatchObject({ status: 403, body: { code: 'own_account' } });
    expect(await erase(userId, auditor)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    const stale = await stack.people.signedIn('admin');
    await staleFactor(stale.userId);
    expect(await erase(userId, stale)).toMatchObject({ status: 403, body: { code: 'step_up_needed' } });
    expect(await erase('0199aa00-0000-7000-8000-000000000001')).toMatchObject({ status: 404 });
    const curious = await stack.people.signedIn('auditor');
    expect(await reveal(entryId, curious)).toMatchObject({ status: 200 });
  });
});
