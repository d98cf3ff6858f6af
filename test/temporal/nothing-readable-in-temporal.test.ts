import proto from '@temporalio/proto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rows } from '../../db/sql.ts';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const UI = 'http://127.0.0.1:8233';
let stack: Stack;

beforeAll(async () => {
  stack = await createStack({ env: { CODEC_PORT: '0', TEMPORAL_UI_URL: UI } });
});
afterAll(() => stack?.close());

it('[O7] [C8] a login leaves nothing readable in Temporal, and staff read it through the codec server', async () => {
  const person = await stack.people.register();
  const login = await stack.people.login(person);
  expect(login.status).toBe(200);
  const handle = stack.temporal.workflow.getHandle(`login:${login.body.loginId}`);
  const history = await eventually(async () => {
    const found = await handle.fetchHistory();
    return (found.events?.length ?? 0) > 5 ? found : undefined;
  });
  const raw = Buffer.from(proto.temporal.api.history.v1.History.encode(history).finish());
  for (const word of ['attemptId', 'passwordOk', 'sessionId', 'expiresAt', person.email]) {
    expect(raw.includes(word), word).toBe(false);
  }

  const input = history.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const payloads = input.map(({ metadata, data }) => ({
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)])),
    data: base64(data ?? new Uint8Array()),
  }));
  const admin = await stack.people.signedIn('admin');
  const ask = (token: string) =>
    fetch(`${stack.codecUrl}/decode`, {
      method: 'POST',
      headers: { Origin: UI, Cookie: `tradeguard=${token}`, 'X-Namespace': 'default' },
      body: JSON.stringify({ payloads }),
    });
  expect((await ask(login.body.session.token)).status).toBe(401);
  const decoded = (await (await ask(admin.token)).json()) as { payloads: { data: string }[] };
  const text = Buffer.from(decoded.payloads[0]?.data ?? '', 'base64').toString();
  expect(JSON.parse(text)).toMatchObject({ loginId: login.body.loginId, passwordOk: true });
  const trace = await rows(stack.db.fork(), `select actor from audit_entry where action = 'payload.decoded'`);
  expect(trace).toEqual([{ actor: admin.userId }]);
});
