import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuditLog } from '../../db/audit.ts';
import { rows } from '../../db/sql.ts';
import type { Role } from '../../domain/roles.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const PATH = '/api/admin/security/audit-logs';

interface Item {
  severity?: string;
  id: string;
  at: string;
  action: string;
  actor: { kind: string; id?: string };
  subject: { kind: string; id: string };
  details: Record<string, unknown>;
  requestId: string | null;
  seq: number | null;
  hash: string | null;
}

describe('the audit log over HTTP', () => {
  let stack: Stack;
  let auditor: SignedIn;
  const actor = uuidV7();

  beforeAll(async () => {
    stack = await createStack();
    auditor = await stack.people.signedIn('auditor');
    for (let n = 0; n < 7; n++) await append('test.counted', { n });
  });
  afterAll(() => stack?.close());

  async function append(action: string, details: Record<string, unknown>): Promise<void> {
    const audit = createAuditLog({ auditKey: stack.config.auditKey });
    await stack.db.transaction((tx) =>
      audit.append(tx, {
        action,
        actor: { kind: 'user', id: actor },
        subject: { kind: 'thing', id: `thing-${details.n}` },
        outcome: 'success',
        details,
      }),
    );
  }

  const list = async (query: string, token = auditor.token) => stack.api.get(`${PATH}?${query}`, { token });
  const allSealed = () =>
    eventually(async () => (await list('action=test.counted')).body.items.every((item: Item) => item.seq !== null));
  const numbers = (items: Item[]) => items.map((item) => item.details.n);

  it('[S7] [A2] pages through everything that matches once, newest first, with the place in the chain', async () => {
    await allSealed();
    const seen: Item[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof list>> = await list(
        `action=test.counted&limit=3${cursor && `&cursor=${cursor}`}`,
      );
      expect(page.status).toBe(200);
      seen.push(...page.body.items);
      cursor = page.body.nextCursor;
    }
    expect(numbers(seen)).toEqual([6, 5, 4, 3, 2, 1, 0]);
    expect(new Set(seen.map((item) => item.seq)).size).toBe(7);
    for (const item of seen) expect(item.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('[S7] filters by actor, subject, action and time', async () => {
    const all: Item[] = (await list(`actor=${actor}`)).body.items;
    expect(numbers(all)).toEqual([6, 5, 4, 3, 2, 1, 0]);
    expect(numbers((await list('subject=thing-4')).body.items)).toEqual([4]);
    expect((await list('action=test.counted&subject=thing-9')).body.items).toEqual([]);
    const third = all.find((item) => item.details.n === 3) as Item;
    const from = encodeURIComponent(third.at);
    expect(numbers((await list(`actor=${actor}&from=${from}`)).body.items)).toEqual([6, 5, 4, 3]);
    expect(numbers((await list(`actor=${actor}&to=2020-01-01T00:00:00Z`)).body.items)).toEqual([]);
    expect(numbers((await list(`actor=${actor}&from=2020-01-01T00:00:00%2B02:00`)).body.items)).toHaveLength(7);
  });

  it('[S7] filters by severity, which every entry has', async () => {
    const by = { kind: 'user' as const, id: actor };
    const audit = createAuditLog({ auditKey: stack.config.auditKey });
    await stack.db.transaction((tx) =>
      audit.append(
        tx,
        { action: 'login.denied', actor: by, subject: { kind: 'user', id: actor }, outcome: 'denied' },
        { action: 'account.restricted', actor: by, subject: { kind: 'user', id: actor }, outcome: 'success' },
        { action: 'test.failed', actor: by, subject: { kind: 'user', id: actor }, outcome: 'failure' },
      ),
    );
    const found = async (severity: string) =>
      (await list(`actor=${actor}&severity=${severity}`)).body.items.map((item: Item) => item.action);
    expect(await found('high')).toEqual(['account.restricted', 'login.denied']);
    expect(await found('low')).toEqual(['test.failed']);
    expect(await found('critical')).toEqual([]);
    expect(await found('info')).toEqual(Array(7).fill('test.counted'));
    expect((await list('severity=high&limit=200')).body.items.every((item: Item) => item.severity === 'high')).toBe(
      true,
    );
  });

  it('writes each read into the log, with who read what', async () => {
    const { headers } = await list(`subject=thing-2&limit=5`);
    const requestId = headers.get('x-request-id');
    const reads: Item[] = (await list(`action=audit.read&actor=${auditor.userId}`)).body.items;
    const trace = reads.find((item) => item.requestId === requestId);
    expect(trace).toMatchObject({
      actor: { kind: 'user', id: auditor.userId },
      details: { filter: { subject: 'thing-2', action: null }, returned: 1 },
    });
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'action=drop%20table',
    'actor=someone@example.com',
    'from=yesterday',
    'from=0000-01-01T00:00:00Z',
    'to=9999-12-31T23:59:59-14:00',
    'cursor=abc',
    'severity=grave',
    'unknown=1',
  ])('refuses %s as a bad request and writes nothing', async (query) => {
    const before = await rows<{ count: string }>(stack.db.fork(), 'select count(*) from audit_entry');
    expect((await list(query)).status).toBe(400);
    expect(await rows<{ count: string }>(stack.db.fork(), 'select count(*) from audit_entry')).toEqual(before);
  });

  it.each<[Role, number]>([
    ['customer', 403],
    ['reviewer', 403],
    ['admin', 200],
    ['auditor', 200],
  ])('lets %s in with %i', async (role, status) => {
    const { token } = await stack.people.signedIn(role);
    expect((await list('limit=1', token)).status).toBe(status);
    expect((await stack.api.post(`${PATH}/verify-chain`, {}, { token })).status).toBe(status);
    const verification = await stack.api.get(`${PATH}/verifications/${uuidV7()}`, { token });
    expect(verification.status).toBe(status === 200 ? 404 : status);
    const cancel = await stack.api.post(`${PATH}/verifications/${uuidV7()}/cancel`, {}, { token });
    expect(cancel.status).toBe(status === 200 ? 404 : status);
  });

  it('asks for a session', async () => {
    expect((await stack.api.get(PATH)).status).toBe(401);
    expect((await stack.api.post(`${PATH}/verify-chain`)).status).toBe(401);
  });

  it('answers who prefers not to wait at once, and says where the result will be', async () => {
    await allSealed();
    const post = (prefer: string) =>
      stack.api.post(`${PATH}/verify-chain`, {}, { token: auditor.token, headers: { Prefer: prefer } });
    const answer = await post('respond-async, wait=10');
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBe('respond-async');
    const result = await eventually(async () => {
      const { body } = await stack.api.get(answer.headers.get('location') ?? '', { token: auditor.token });
      return body.finishedAt === null ? undefined : body;
    });
    expect(result).toMatchObject({ verificationId: answer.body.verificationId, status: 'valid' });
    // Anything else that it might ask for is no reason to leave without the result.
    const waited = await post('handling=strict');
    expect([waited.status, waited.headers.get('preference-applied')]).toEqual([200, null]);
  });

  it('[A3] [S8] verifies the chain and leaves a trace of it', async () => {
    await allSealed();
    const answer = await stack.api.post(`${PATH}/verify-chain`, {}, { token: auditor.token });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ valid: true, checked: expect.any(Number), unsealed: expect.any(Number) });
    expect(answer.body).not.toHaveProperty('firstInvalidSeq');
    expect(answer.body.checked).toBeGreaterThanOrEqual(7);
    const [trace] = (await list(`action=audit.verified&actor=${auditor.userId}`)).body.items as Item[];
    const state = await stack.api.get(`${PATH}/verifications/${trace?.subject.id}`, { token: auditor.token });
    expect(state.body).toMatchObject({ status: 'valid', valid: true, requestedBy: auditor.userId });
    const late = await stack.api.post(
      `${PATH}/verifications/${trace?.subject.id}/cancel`,
      {},
      { token: auditor.token },
    );
    expect(late.status).toBe(409);
  });

  it('says where the result will be when it takes longer, and lets it be cancelled', async () => {
    await stack.stopWorker();
    const answer = await stack.api.post(`${PATH}/verify-chain`, {}, { token: auditor.token });
    expect(answer.status).toBe(202);
    const location = answer.headers.get('location') as string;
    expect(location).toBe(`${PATH}/verifications/${answer.body.verificationId}`);
    expect((await stack.api.get(location, { token: auditor.token })).body).toMatchObject({ status: 'requested' });
    expect((await stack.api.post(`${location}/cancel`, {}, { token: auditor.token })).status).toBe(202);
    await stack.startWorker();
    const ended = await eventually(async () => {
      const { body } = await stack.api.get(location, { token: auditor.token });
      return body.status === 'cancelled' ? body : undefined;
    });
    expect(ended).not.toHaveProperty('valid');
  });

  it('[S8] names the first bad entry of a tampered log and opens one critical incident', async () => {
    const [victim] = (await list('subject=thing-3')).body.items as Item[];
    for (const statement of [
      'alter table audit_entry disable trigger user',
      `update audit_entry set entry = replace(entry, '"n":3', '"n":4') where id = '${victim?.id}'`,
      'alter table audit_entry enable trigger user',
    ]) {
      await rows(stack.ownerDb.fork(), statement);
    }
    for (let times = 0; times < 2; times++) {
      const answer = await stack.api.post(`${PATH}/verify-chain`, {}, { token: auditor.token });
      expect(answer).toMatchObject({
        status: 200,
        body: { valid: false, firstInvalidSeq: victim?.seq, checked: victim?.seq, reason: 'entry_changed' },
      });
    }
    const incidents = await rows<{ severity: string; status: string }>(
      stack.db.fork(),
      `select severity, status from incident where cause = 'audit_failure'`,
    );
    expect(incidents).toEqual([{ severity: 'critical', status: 'open' }]);
  });
});
