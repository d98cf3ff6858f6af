import { MockActivityEnvironment } from '@temporalio/testing';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createEvidenceActivities, type EvidenceOutcome } from '../../activities/evidence.ts';
import { readEvidence, requestEvidence } from '../../db/evidence.ts';
import { openIncident } from '../../db/incidents.ts';
import { oneRow, rows, run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { workflowIds } from '../../workflows/contract.ts';
import { createEvidenceLog, type EvidenceLog } from '../audit/evidence-fixture.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createWorkerChild } from '../helpers/worker-child.ts';

describe('an attempt to make a bundle', () => {
  let log: EvidenceLog;
  let makeEvidence: ReturnType<typeof createEvidenceActivities>['makeEvidence'];
  let bundleId: string;
  let incidentId: string;
  beforeEach(async () => {
    log = await createEvidenceLog();
    const deps = { db: log.db, audit: log.audit, auditKey: log.auditKey, checkpoints: log.publisher };
    ({ makeEvidence } = createEvidenceActivities(deps as unknown as ActivityDeps));
    await log.noise(20);
    const ada = await log.person();
    incidentId = await log.open(ada);
    await log.seal();
    bundleId = uuidV7();
    await requestEvidence(log.db.fork(), { id: bundleId, incidentId, windowHours: 24, requestedBy: ada, key: null });
  });
  afterEach(() => log.close());

  const attempt = (given: ConstructorParameters<typeof MockActivityEnvironment>[0] = {}) =>
    new MockActivityEnvironment(given).run(makeEvidence, bundleId) as Promise<EvidenceOutcome>;
  const counts = () =>
    oneRow<{ bundles: number; told: number }>(
      log.db.fork(),
      `select (select count(*)::int from evidence_bundle) as bundles,
              (select count(*)::int from audit_entry where action = 'incident.evidence_created') as told`,
    );
  const digest = async () => (await readEvidence(log.db.fork(), bundleId))?.bundle?.sha256;

  it('that comes after one whose bundle was committed finds it, and makes nothing twice', async () => {
    const first = await attempt();
    expect(first).toEqual({ status: 'ready', entries: 1, incidents: [] });
    const made = await digest();
    expect(await attempt({ attempt: 2 })).toEqual(first);
    expect(await digest()).toBe(made);
    expect(await counts()).toEqual({ bundles: 1, told: 1 });
  });

  it('beside another one for the same bundle leaves one', async () => {
    const both = await Promise.all([attempt(), attempt({ attempt: 2 })]);
    expect(both.map(({ status }) => status)).toEqual(['ready', 'ready']);
    expect(await counts()).toEqual({ bundles: 1, told: 1 });
  });

  it('of a log that is damaged opens one incident, which a repeat is given again', async () => {
    await log.asDatabaseAdministrator((sql) =>
      sql(`update audit_entry set entry = replace(entry, '"success"', '"failure"') where subject = $1`, [incidentId]),
    );
    const first = await attempt();
    expect(first).toMatchObject({ status: 'ready', incidents: [{ severity: 'critical' }] });
    expect(await attempt({ attempt: 2 })).toEqual(first);
    const opened = await rows(log.db.fork(), `select 1 from incident where cause = 'audit_failure'`);
    expect(opened).toHaveLength(1);
  });

  it('that is cancelled stores nothing', async () => {
    const environment = new MockActivityEnvironment();
    environment.on('heartbeat', () => environment.cancel());
    await expect(environment.run(makeEvidence, bundleId)).rejects.toThrow('CANCELLED');
    expect(await readEvidence(log.db.fork(), bundleId)).toMatchObject({ status: 'running', bundle: null });
    expect(await counts()).toEqual({ bundles: 0, told: 0 });
  });

  it('for a request that has ended makes nothing', async () => {
    await run(log.db.fork(), `update evidence_request set status = 'cancelled', finished_at = clock_timestamp()`);
    expect(await attempt()).toEqual({ status: 'cancelled', entries: 0, incidents: [] });
    expect(await counts()).toEqual({ bundles: 0, told: 0 });
  });

  it('whose request ends while it gathers stores nothing', async () => {
    await log.append({
      ...{ action: 'test.late', actor: { kind: 'system' }, outcome: 'success' },
      subject: { kind: 'incident', id: incidentId },
    });
    const environment = new MockActivityEnvironment();
    // It waits for the seal of that entry.
    environment.once('heartbeat', async () => {
      await run(log.db.fork(), `update evidence_request set status = 'cancelled', finished_at = clock_timestamp()`);
      await log.seal();
    });
    expect(await environment.run(makeEvidence, bundleId)).toEqual({ status: 'cancelled', entries: 0, incidents: [] });
    expect(await counts()).toEqual({ bundles: 0, told: 0 });
  });

  it('stores what nobody changes: not the application, nor the owner', async () => {
    await attempt();
    for (const statement of [
      'update evidence_bundle set entries = 0',
      'delete from evidence_bundle',
      'truncate evidence_bundle',
    ]) {
      await expect(rows(log.db.fork(), statement)).rejects.toThrow(/permission denied/);
      await expect(rows(log.ownerDb.fork(), statement)).rejects.toThrow(/append-only/);
    }
    for (const statement of [
      'delete from evidence_request',
      'update evidence_request set requested_by = requested_by',
      'update evidence_request set incident_id = incident_id',
    ]) {
      await expect(rows(log.db.fork(), statement)).rejects.toThrow(/permission denied/);
    }
  });
});

describe('a bundle whose making is interrupted', () => {
  let stack: Stack;
  let auditor: SignedIn;
  let worker: ReturnType<typeof createWorkerChild>;
  let incidentId: string;
  beforeAll(async () => {
    stack = await createStack({ worker: false });
    worker = createWorkerChild(stack);
    auditor = await stack.people.signedIn('auditor');
  });
  afterEach(() => worker.kill());
  afterAll(async () => {
    await worker?.deleteSchedules();
    await stack?.close();
  });
  beforeEach(async () => {
    const subjectId = uuidV7();
    ({ incidentId } = await stack.db.transaction((tx) =>
      openIncident(
        tx,
        { audit: stack.audit },
        {
          ...{ cause: 'quarantine', subjectKind: 'transaction', subjectId, userId: null },
          ...{ title: 'A transaction is held', details: {}, key: `transaction:${subjectId}:held` },
        },
      ),
    ));
  });

  const path = () => `/api/admin/security/incidents/${incidentId}/evidence`;
  const ask = (headers: Record<string, string> = {}) => stack.api.post(path(), {}, { token: auditor.token, headers });
  const stateOf = async (bundleId: string) =>
    (await stack.api.get(`${path()}/${bundleId}`, { token: auditor.token })).body;
  const becomes = (bundleId: string, status: string) =>
    eventually(async () => (await stateOf(bundleId)).status === status, { what: status, timeoutMs: 60_000 });

  /** While `work` runs, a bundle can be made and not be stored. */
  async function withoutStoring<T>(work: () => Promise<T>): Promise<T> {
    // The program's own connections end a transaction in which nothing happens.
    const client = new pg.Client({ connectionString: stack.ownerUrl });
    await client.connect();
    try {
      await client.query('begin');
      await client.query('lock table evidence_bundle in share mode');
      return await work();
    } finally {
      await client.end();
    }
  }

  it('by the death of its worker is made by the next one, once', { timeout: 120_000 }, async () => {
    const bundleId = await withoutStoring(async () => {
      worker.start();
      const { body } = await ask();
      await becomes(body.bundleId, 'running');
      await worker.kill();
      return body.bundleId as string;
    });
    expect(await stateOf(bundleId)).toMatchObject({ status: 'running', bundle: null });
    worker.start();
    await becomes(bundleId, 'ready');
    expect(await stateOf(bundleId)).toMatchObject({ bundle: { valid: true, pending: 0 } });
    const told = await rows(
      stack.db.fork(),
      `select 1 from audit_entry where subject = $1 and action = 'incident.evidence_created'`,
      [incidentId],
    );
    expect(told).toHaveLength(1);
  });

  it('by an operator who cancels it ends without one, and can be asked for again', { timeout: 120_000 }, async () => {
    worker.start();
    const bundleId = await withoutStoring(async () => {
      const { body } = await ask();
      await becomes(body.bundleId, 'running');
      const handle = stack.temporal.workflow.getHandle(workflowIds.incidentEvidence(body.bundleId));
      await handle.cancel();
      await eventually(async () => !['requested', 'running'].includes((await stateOf(body.bundleId)).status), {
        what: 'its end',
        timeoutMs: 60_000,
      });
      return body.bundleId as string;
    });
    expect(await stateOf(bundleId)).toMatchObject({ status: 'cancelled', bundle: null, reason: null });
    const again = await ask();
    expect(again.body.bundleId).not.toBe(bundleId);
    await becomes(again.body.bundleId, 'ready');
  });

  it('by an operator who terminates it is found out by who asks again', { timeout: 120_000 }, async () => {
    const key = { 'Idempotency-Key': `case-${incidentId}` };
    const { body } = await ask(key);
    expect(body.status).toBe('requested');
    await stack.temporal.workflow.getHandle(workflowIds.incidentEvidence(body.bundleId)).terminate();
    expect(await ask(key)).toMatchObject({
      status: 202,
      body: { bundleId: body.bundleId, status: 'failed', reason: 'interrupted' },
    });
    worker.start();
    const again = await ask();
    expect(again.body.bundleId).not.toBe(body.bundleId);
    await becomes(again.body.bundleId, 'ready');
  });
});
