import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpenIncident, openIncident, resolveIncidentFor } from '../../db/incidents.ts';
import { run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { type IncidentInput, incidentChanged, workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
let admin: SignedIn;
let reviewer: SignedIn;
let disabled: SignedIn;

beforeAll(async () => {
  stack = await createStack();
  admin = await stack.people.signedIn('admin');
  reviewer = await stack.people.signedIn('reviewer');
  disabled = await stack.people.signedIn('reviewer');
  await run(stack.db.fork(), 'update app_user set disabled_at = clock_timestamp() where id = $1', [disabled.userId]);
});
afterAll(() => stack?.close());

function evidence(given: Partial<OpenIncident> = {}): OpenIncident {
  const subjectId = given.subjectId ?? uuidV7();
  return {
    cause: 'quarantine',
    subjectKind: 'transaction',
    subjectId,
    userId: null,
    title: 'A transaction is held for review',
    details: {},
    key: `transaction:${subjectId}:${uuidV7()}`,
    ...given,
  };
}

const open = (given: OpenIncident) => stack.db.transaction((tx) => openIncident(tx, stack, given));

async function openAndStart(given: OpenIncident) {
  const opened = await open(given);
  const input: IncidentInput = { incidentId: opened.incidentId, severity: opened.severity, userTag: 'test' };
  const handle = await stack.temporal.workflow.start('incident', {
    workflowId: workflowIds.incident(opened.incidentId),
    taskQueue: `${stack.config.taskQueuePrefix}-background`,
    args: [input],
  });
  return { ...opened, handle };
}

const incidentOf = async (incidentId: string) =>
  (await stack.api.get(`/api/admin/security/incidents/${incidentId}`, { token: admin.token })).body;
const kinds = async (incidentId: string) =>
  (await incidentOf(incidentId)).timeline.map((event: { kind: string }) => event.kind);
const lettersAbout = (person: SignedIn, incidentId: string) =>
  stack.mail.to(person.email).filter((mail) => mail.text.includes(incidentId));

describe('a new incident', () => {
  test('is announced once to every active reviewer and admin, and ends when somebody resolves it', async () => {
    const { incidentId, handle } = await openAndStart(evidence());
    await eventually(() => lettersAbout(admin, incidentId).length > 0, { what: 'the letter to the admin' });
    await eventually(() => lettersAbout(reviewer, incidentId).length > 0, { what: 'the letter to the reviewer' });
    expect(lettersAbout(disabled, incidentId)).toEqual([]);
    expect(lettersAbout(admin, incidentId)).toHaveLength(1);
    expect(lettersAbout(admin, incidentId)[0]?.subject).toBe('[medium] A transaction is held for review');

    const answer = await stack.api.post(
      `/api/admin/security/incidents/${incidentId}/resolve`,
      { resolution: 'A known customer' },
      { token: reviewer.token },
    );
    expect(answer).toMatchObject({ status: 200, body: { status: 'resolved', resolvedBy: reviewer.userId } });
    await handle.result();
    expect(await kinds(incidentId)).toEqual(['opened', 'notified', 'resolved']);
  });

  test('of low severity is listed without a letter', async () => {
    const { incidentId, handle } = await openAndStart(evidence({ cause: 'lockout', subjectKind: 'user' }));
    await eventually(async () => (await handle.describe()).searchAttributes.TradeguardSeverity?.[0] === 'low');
    expect(await kinds(incidentId)).toEqual(['opened']);
  });

  test('shows severity and status to operators, and no person', async () => {
    const { handle } = await openAndStart(evidence({ cause: 'audit_failure', subjectKind: 'system' }));
    const { searchAttributes } = await eventually(async () => {
      const description = await handle.describe();
      return description.searchAttributes.TradeguardSeverity ? description : undefined;
    });
    expect(searchAttributes).toMatchObject({ TradeguardSeverity: ['critical'], TradeguardStatus: ['open'] });
  });
});

describe('an incident that nobody takes up', () => {
  test('is escalated when its time is over, and staff are told again', async () => {
    const { incidentId, handle } = await openAndStart(evidence({ cause: 'login_escalated', subjectKind: 'user' }));
    await eventually(() => lettersAbout(admin, incidentId).length === 1);
    await backdate(incidentId, '59 minutes');
    await handle.signal(incidentChanged);
    expect(await incidentOf(incidentId)).toMatchObject({ severity: 'high', escalations: 0 });
    await backdate(incidentId, '61 minutes');
    await handle.signal(incidentChanged);
    await eventually(() => lettersAbout(admin, incidentId).length === 2);
    expect(await incidentOf(incidentId)).toMatchObject({ severity: 'critical', status: 'open', escalations: 1 });
    expect(await kinds(incidentId)).toEqual(['opened', 'notified', 'escalated', 'notified']);
    await eventually(async () => (await handle.describe()).searchAttributes.TradeguardSeverity?.[0] === 'critical');
  });

  test('is no longer escalated once somebody investigates it', async () => {
    const { incidentId, handle } = await openAndStart(evidence());
    const answer = await stack.api.post(`/api/admin/security/incidents/${incidentId}/investigate`, undefined, {
      token: admin.token,
    });
    expect(answer).toMatchObject({ status: 200, body: { status: 'investigating', assignedTo: admin.userId } });
    await backdate(incidentId, '30 hours');
    await handle.signal(incidentChanged);
    await eventually(async () => (await handle.describe()).searchAttributes.TradeguardStatus?.[0] === 'investigating');
    expect(await incidentOf(incidentId)).toMatchObject({ escalations: 0, severity: 'medium' });
  });

  test('is not escalated when it was taken up in the last moment and no signal told so', async () => {
    const { incidentId, handle } = await openAndStart(evidence({ cause: 'login_escalated', subjectKind: 'user' }));
    await eventually(() => lettersAbout(admin, incidentId).length === 1);
    await backdate(incidentId, '59 minutes 57 seconds');
    await handle.signal(incidentChanged);
    // The workflow has seen it open and waits for its time.
    await eventually(async () => {
      const { events } = await handle.fetchHistory();
      return (events ?? []).filter((event) => event.timerStartedEventAttributes).length === 2;
    });
    await run(stack.db.fork(), `update incident set status = 'investigating' where id = $1`, [incidentId]);
    await eventually(async () => (await handle.describe()).searchAttributes.TradeguardStatus?.[0] === 'investigating');
    expect(await incidentOf(incidentId)).toMatchObject({ escalations: 0, severity: 'high' });
    expect(lettersAbout(admin, incidentId)).toHaveLength(1);
  });

  async function backdate(incidentId: string, age: string) {
    await run(stack.ownerDb.fork(), 'update incident set opened_at = clock_timestamp() - $2::interval where id = $1', [
      incidentId,
      age,
    ]);
  }
});

describe('one unresolved incident per cause and subject', () => {
  test('twenty openings at the same time make one incident with twenty pieces of evidence', async () => {
    const subjectId = uuidV7();
    const opened = await Promise.all(Array.from({ length: 20 }, () => open(evidence({ subjectId }))));
    expect(new Set(opened.map(({ incidentId }) => incidentId)).size).toBe(1);
    expect(opened.filter((one) => one.opened)).toHaveLength(1);
    expect(await kinds(opened[0]?.incidentId ?? '')).toEqual(['opened', ...Array(19).fill('evidence')]);
  });

  test('the same evidence again adds nothing, also after the incident was resolved', async () => {
    const given = evidence();
    const { incidentId } = await open(given);
    expect(await open(given)).toMatchObject({ incidentId, opened: false });
    await resolve(given.subjectId);
    expect(await open(given)).toMatchObject({ incidentId, opened: false });
    expect(await kinds(incidentId)).toEqual(['opened', 'resolved']);
  });

  test('evidence raises the severity and never lowers it', async () => {
    const subjectId = uuidV7();
    const { incidentId } = await open(evidence({ subjectId }));
    expect(await open(evidence({ subjectId, severity: 'high' }))).toMatchObject({ raised: true, severity: 'high' });
    expect(await open(evidence({ subjectId, severity: 'low' }))).toMatchObject({ raised: false, severity: 'high' });
    expect(await incidentOf(incidentId)).toMatchObject({ severity: 'high' });
  });

  test('a resolved incident makes room for a new one', async () => {
    const subjectId = uuidV7();
    const first = await open(evidence({ subjectId }));
    expect(await resolve(subjectId)).toMatchObject({ incidentId: first.incidentId });
    expect(await resolve(subjectId)).toBeNull();
    const second = await open(evidence({ subjectId }));
    expect(second).toMatchObject({ opened: true });
    expect(second.incidentId).not.toBe(first.incidentId);
  });

  const resolve = (subjectId: string) =>
    stack.db.transaction((tx) =>
      resolveIncidentFor(tx, stack, {
        cause: 'quarantine',
        subjectKind: 'transaction',
        subjectId,
        resolution: 'Approved by a reviewer',
        resolvedBy: null,
      }),
    );
});
