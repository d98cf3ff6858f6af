import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openIncident } from '../../db/incidents.ts';
import { rows } from '../../db/sql.ts';
import type { IncidentCause } from '../../domain/incident.ts';
import { uuidV7 } from '../../security/uuid.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const PATH = '/api/admin/security/incidents';
let stack: Stack;
let admin: SignedIn;
let reviewer: SignedIn;

beforeAll(async () => {
  stack = await createStack({ worker: false });
  admin = await stack.people.signedIn('admin');
  reviewer = await stack.people.signedIn('reviewer');
});
afterAll(() => stack?.close());

async function open(cause: IncidentCause = 'quarantine'): Promise<string> {
  const subjectId = uuidV7();
  const { incidentId } = await stack.db.transaction((tx) =>
    openIncident(tx, stack, {
      cause,
      subjectKind: 'transaction',
      subjectId,
      userId: null,
      title: 'A test incident',
      details: { score: 75 },
      key: `transaction:${subjectId}:held`,
    }),
  );
  return incidentId;
}

const get = (path: string, token = admin.token) => stack.api.get(path, { token });
const post = (path: string, body: unknown, token = admin.token) => stack.api.post(path, body, { token });

describe('the list', () => {
  test('[S4] [P10] pages through everything once, newest first', async () => {
    const opened: string[] = [];
    for (let n = 0; n < 5; n += 1) opened.push(await open());
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof get>> = await get(`${PATH}?limit=2${cursor && `&cursor=${cursor}`}`);
      expect(page.status).toBe(200);
      seen.push(...page.body.items.map((item: { incidentId: string }) => item.incidentId));
      cursor = page.body.nextCursor;
    }
    expect(seen).toEqual(opened.toReversed());
  });

  test('[S4] [P8] filters by status and severity', async () => {
    const high = await open('login_escalated');
    const resolved = await open('audit_failure');
    await post(`${PATH}/${resolved}/resolve`, { resolution: 'done' });
    const ids = async (query: string) =>
      (await get(`${PATH}?${query}`)).body.items.map((item: { incidentId: string }) => item.incidentId);
    expect(await ids('severity=high')).toEqual([high]);
    expect(await ids('status=resolved')).toEqual([resolved]);
    expect(await ids('status=unresolved&severity=critical')).toEqual([]);
  });

  test.each([
    ['status=closed', 'validation_failed'],
    ['limit=0', 'validation_failed'],
    ['cursor=eyJhIjoxfQ', 'invalid_cursor'],
    ['cursor=%00', 'invalid_cursor'],
  ])('refuses %s with 400', async (query, code) => {
    expect(await get(`${PATH}?${query}`)).toMatchObject({ status: 400, body: { code } });
  });
});

describe('one incident', () => {
  test('[P10] comes with its timeline', async () => {
    const id = await open();
    expect(await get(`${PATH}/${id}`)).toMatchObject({
      status: 200,
      body: { incidentId: id, status: 'open', timeline: [{ kind: 'opened', actor: 'system', details: { score: 75 } }] },
    });
  });

  test('that does not exist is 404, an id that is none 400', async () => {
    expect(await get(`${PATH}/${uuidV7()}`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await get(`${PATH}/1`)).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
  });

  test('[P9] [S5] moves from open to investigating to resolved and never back, each step with its audit entry', async () => {
    const id = await open();
    expect(await post(`${PATH}/${id}/investigate`, {})).toMatchObject({ status: 200 });
    expect(await post(`${PATH}/${id}/investigate`, {}, reviewer.token)).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition' },
    });
    expect(await post(`${PATH}/${id}/resolve`, { resolution: 'A false alarm' })).toMatchObject({
      status: 200,
      body: { status: 'resolved', resolution: 'A false alarm', resolvedBy: admin.userId },
    });
    expect(await post(`${PATH}/${id}/investigate`, {})).toMatchObject({ status: 409 });
    expect(await post(`${PATH}/${id}/resolve`, { resolution: 'again' })).toMatchObject({ status: 409 });
    const entries = await rows<{ action: string }>(
      stack.ownerDb.fork(),
      'select action from audit_entry where subject = $1 order by id',
      [id],
    );
    expect(entries.map(({ action }) => action)).toEqual([
      'incident.opened',
      'incident.investigating',
      'incident.resolved',
    ]);
  });

  test('two who resolve it at the same time: one does, the other is told', async () => {
    const id = await open();
    const answers = await Promise.all([
      post(`${PATH}/${id}/resolve`, { resolution: 'mine' }),
      post(`${PATH}/${id}/resolve`, { resolution: 'mine too' }, reviewer.token),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  test.each([
    [{}],
    [{ resolution: '' }],
    [{ resolution: 'a\0b' }],
    [{ resolution: 'x'.repeat(1001) }],
    [{ resolution: 'a', by: 'b' }],
  ])('a resolution %j is refused and changes nothing', async (body) => {
    const id = await open();
    expect(await post(`${PATH}/${id}/resolve`, body)).toMatchObject({ status: 400 });
    expect((await get(`${PATH}/${id}`)).body.status).toBe('open');
  });
});

describe('who may', () => {
  test('customers see nothing, auditors read, strangers are asked to sign in', async () => {
    const id = await open();
    const customer = await stack.people.signedIn('customer');
    const auditor = await stack.people.signedIn('auditor');
    expect(await get(PATH, customer.token)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await get(`${PATH}/${id}`, auditor.token)).toMatchObject({ status: 200 });
    expect(await post(`${PATH}/${id}/resolve`, { resolution: 'x' }, auditor.token)).toMatchObject({ status: 403 });
    expect(await stack.api.get(PATH)).toMatchObject({ status: 401, body: { code: 'session_required' } });
  });
});
