import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { createHttpClient } from '../helpers/http.ts';
import { type Instance, startInstance } from '../helpers/instance.ts';
import { HOME_DEVICE } from '../helpers/people.ts';

interface Listed {
  execution: { workflowId: string; runId: string };
  type: { name: string };
  status: string;
  searchAttributes?: { indexedFields?: Record<string, { data: string }> };
}

let instance: Instance;
let ui: string;
beforeAll(async () => {
  instance = await startInstance();
  ui = `${instance.endpoints().temporalUi}/api/v1`;
});
afterAll(() => instance?.stop());

/** What the UI shows for a query, asked as its own pages ask. */
async function listed(query: string): Promise<Listed[]> {
  const url = `${ui}/namespaces/default/workflows?maximumPageSize=200&query=${encodeURIComponent(query)}`;
  const { executions = [] } = (await (await fetch(url)).json()) as { executions?: Listed[] };
  return executions;
}
const base64 = (data: string | undefined) => JSON.parse(Buffer.from(data ?? '', 'base64').toString());

describe('[O7] operators in the Temporal UI', () => {
  it('find every story as a workflow with a readable id, by type, by status and by severity', async () => {
    const api = createHttpClient(() => instance.endpoints().api);
    const person = { email: `${randomUUID()}@example.com`, password: `a long passphrase ${randomUUID()}` };
    await api.post('/api/auth/register', { ...person, fullName: 'Test Person', device: HOME_DEVICE });
    const login = await api.post('/api/auth/login', { ...person, device: HOME_DEVICE });
    expect(login.status).toBe(200);
    for (let n = 0; n < 5; n++) {
      await api.post('/api/auth/login', { ...person, password: 'not the password', device: HOME_DEVICE });
    }
    const [incident] = await eventually(async () => {
      const opened = await instance.sql<{ id: string }>(`select id from incident where severity = 'low'`);
      return opened.length > 0 && opened;
    });
    const [lockout] = await instance.sql<{ id: string }>('select id from lockout');
    const [backup] = await eventually(async () => {
      const found = await instance.sql<{ id: string }>('select id from backup_run');
      return found.length > 0 && found;
    });
    const expected = {
      login: `login:${login.body.loginId}`,
      lockout: `lockout:${lockout?.id}`,
      incident: `incident:${incident?.id}`,
      backup: `backup:${backup?.id}`,
    };
    for (const [type, workflowId] of Object.entries(expected)) {
      await eventually(
        async () =>
          (await listed(`WorkflowType = '${type}'`)).some(({ execution }) => execution.workflowId === workflowId),
        { what: `${workflowId} in the UI` },
      );
    }
    // What runs by the clock is listed as well, with when it runs next.
    const schedules = (await (await fetch(`${ui}/namespaces/default/schedules?maximumPageSize=50`)).json()) as {
      schedules: { scheduleId: string }[];
    };
    expect(schedules.schedules.map(({ scheduleId }) => scheduleId)).toEqual(
      expect.arrayContaining(['tradeguard-backup', 'tradeguard-reconcile', 'tradeguard-key-rotation']),
    );
    const [found] = await listed(`TradeguardSeverity = 'low'`);
    expect(found?.execution.workflowId).toBe(expected.incident);
    const [locked] = await listed(`WorkflowId = '${expected.lockout}'`);
    expect(base64(locked?.searchAttributes?.indexedFields?.TradeguardStatus?.data)).toEqual(expect.any(String));
    expect(locked?.status).toMatch(/RUNNING/i);
  });

  it('open one: its history, its timers, and nothing personal in the clear', async () => {
    const [lockout] = await listed(`WorkflowType = 'lockout'`);
    const { workflowId = '', runId = '' } = lockout?.execution ?? {};
    const path = `namespaces/default/workflows/${encodeURIComponent(workflowId)}`;
    const answer = await fetch(`${ui}/${path}/history?execution.runId=${runId}`);
    const text = await answer.text();
    const { history } = JSON.parse(text) as { history: { events: { eventType: string }[] } };
    const types = history.events.map(({ eventType }) => eventType);
    expect(types[0]).toMatch(/WORKFLOW_EXECUTION_STARTED/);
    expect(types.some((type) => /TIMER_STARTED/.test(type))).toBe(true);
    expect(text).not.toContain('@example.com');
    const settings = (await (await fetch(`${ui}/settings`)).json()) as { Codec: { Endpoint: string } };
    expect(settings.Codec.Endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });
});
