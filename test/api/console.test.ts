import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStack, type Stack } from '../helpers/stack.ts';

const PATH = '/api/admin/security/console';
let stack: Stack;
beforeAll(async () => {
  stack = await createStack({
    worker: false,
    env: { TEMPORAL_UI_URL: 'http://127.0.0.1:8233/', REVIEW_TWO_PERSON_ABOVE: '25000', BASE_CURRENCY: 'EUR' },
  });
});
afterAll(() => stack?.close());

test('says who looks, what they may, where a workflow is shown, and the thresholds in force', async () => {
  const reviewer = await stack.people.signedIn('reviewer');
  const { status, body } = await stack.api.get(PATH, { token: reviewer.token });
  expect(status).toBe(200);
  expect(body.user).toMatchObject({
    ...{ userId: reviewer.userId, email: reviewer.email, fullName: 'Test Person', role: 'reviewer' },
    may: { review: true, handleIncidents: true, audit: false, administer: false },
  });
  expect(Date.parse(body.user.factorFreshUntil) - Date.now()).toBeGreaterThan(250_000);
  expect(body.temporal).toEqual({
    namespace: 'default',
    uiUrl: 'http://127.0.0.1:8233',
    workflowUrl: 'http://127.0.0.1:8233/namespaces/default/workflows/{workflowId}',
  });
  expect(body.installation).toMatchObject({ production: false, baseCurrency: 'EUR', backupTimeZone: 'UTC' });
  expect(body.installation.auditOrigin).toMatch(/^tradeguard\.local\//);
  expect(body.thresholds).toMatchObject({
    login: { factorAbove: 0.5, deniedAbove: 0.8, lockout: { failures: 5 } },
    transaction: { highRiskAbove: 0.6, reviewAbove: 0.7, escalateAbove: 0.8, stepUpAmountAbove: '10000' },
  });
  expect(body.review).toEqual({ windowSeconds: 86_400, claimSeconds: 1_800, secondApprovalAbove: '25000' });
});

test('names colleagues by their ids, and nobody else', async () => {
  const [admin, auditor, customer] = await Promise.all(
    (['admin', 'auditor', 'customer'] as const).map((role) => stack.people.signedIn(role)),
  );
  const { body } = await stack.api.get(PATH, { token: auditor?.token ?? '' });
  const ids = body.staff.map(({ userId }: { userId: string }) => userId);
  expect(ids).toEqual(expect.arrayContaining([admin?.userId, auditor?.userId]));
  expect(ids).not.toContain(customer?.userId);
  expect(JSON.stringify(body.staff)).not.toContain('@');
});

test('without a Temporal UI there is no link; customers and nobody learn nothing', async () => {
  const plain = await createStack({ worker: false });
  try {
    const admin = await plain.people.signedIn('admin');
    const customer = await plain.people.signedIn('customer');
    const { body } = await plain.api.get(PATH, { token: admin.token });
    expect(body.temporal).toMatchObject({ uiUrl: null, workflowUrl: null });
    expect(body.review.secondApprovalAbove).toBeNull();
    expect(await plain.api.get(PATH, { token: customer.token })).toMatchObject({ status: 403 });
    expect(await plain.api.get(PATH)).toMatchObject({ status: 401 });
  } finally {
    await plain.close();
  }
});
