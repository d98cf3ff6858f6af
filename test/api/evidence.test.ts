import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openIncident } from '../../db/incidents.ts';
import { oneRow, row, rows } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { verifyApart } from '../audit/evidence-fixture.ts';
import { eventually } from '../helpers/eventually.ts';
import { HOME_DEVICE, type SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
let auditor: SignedIn;
let folder: string;
beforeAll(async () => {
  stack = await createStack();
  auditor = await stack.people.signedIn('auditor');
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-evidence-api-'));
});
afterAll(async () => {
  await stack?.close();
  rmSync(folder, { recursive: true, force: true });
});

const pathOf = (incidentId: string) => `/api/admin/security/incidents/${incidentId}/evidence`;
const make = (incidentId: string, body: object = {}, headers: Record<string, string> = {}) =>
  stack.api.post(pathOf(incidentId), body, { token: auditor.token, headers });

async function download(incidentId: string, bundleId: string) {
  const response = await fetch(`${stack.url}${pathOf(incidentId)}/${bundleId}/download`, {
    headers: { Authorization: `Bearer ${auditor.token}` },
  });
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
}

async function saved(bytes: Buffer): Promise<string> {
  const file = join(folder, `${uuidV7()}.json.gz`);
  writeFileSync(file, bytes);
  return file;
}

/** What the entries of a bundle tell of. */
function actionsIn(document: Buffer): string[] {
  const { files } = JSON.parse(gunzipSync(document).toString()) as { files: { name: string; base64?: string }[] };
  const { base64 = '' } = files.find(({ name }) => name === 'entries.ndjson.gz') ?? {};
  const lines = gunzipSync(Buffer.from(base64, 'base64')).toString().trim().split('\n');
  return lines.map((line) => JSON.parse(JSON.parse(line).entry).action);
}

async function anIncident(): Promise<string> {
  const { userId } = await stack.people.signedIn('customer');
  const { incidentId } = await stack.db.transaction((tx) =>
    openIncident(
      tx,
      { audit: stack.audit },
      {
        ...{ cause: 'restriction', subjectKind: 'user', subjectId: userId, userId },
        ...{ title: 'An account was frozen', details: {}, key: uuidV7() },
      },
    ),
  );
  return incidentId;
}

describe('evidence of an incident', () => {
  it('tells the story of a lockout to an auditor who has nothing of this installation', async () => {
    const person = await stack.people.register();
    for (let n = 0; n < 5; n += 1) {
      await stack.people.login({ ...person, password: 'not that one', device: HOME_DEVICE });
    }
    const found = await eventually(
      () =>
        row<{ id: string }>(
          stack.db.fork(),
          `select i.id from incident i join app_user u on u.id = i.user_id where u.email = $1 and i.cause = 'lockout'`,
          [person.email],
        ),
      { what: 'the incident' },
    );
    const incidentId = found?.id ?? '';
    const made = await make(incidentId);
    expect(made).toMatchObject({
      status: 201,
      body: { incidentId, status: 'ready', windowHours: 24, requestedBy: auditor.userId, reason: null },
    });
    const { bundleId, bundle } = made.body;
    expect(made.headers.get('location')).toBe(`${pathOf(incidentId)}/${bundleId}`);
    expect(bundle).toMatchObject({ pending: 0, valid: true, firstInvalidSeq: null, reason: null });
    expect(bundle.entries).toBe(bundle.found);

    const file = await download(incidentId, bundleId);
    const sha256 = createHash('sha256').update(file.bytes).digest('hex');
    expect(file.status).toBe(200);
    expect(file.headers.get('content-type')).toBe('application/gzip');
    expect(file.headers.get('etag')).toBe(`"${sha256}"`);
    expect(file.headers.get('content-disposition')).toContain(`evidence-${incidentId}-${bundleId}.json.gz`);
    expect(file.headers.get('cache-control')).toContain('no-store');
    expect(bundle).toMatchObject({ sha256, bytes: file.bytes.length });
    expect(file.bytes.toString('latin1')).not.toContain(person.email);
    const actions = actionsIn(file.bytes);
    for (const action of ['login.failed', 'lockout.started', 'incident.opened']) expect(actions).toContain(action);
    expect(await verifyApart([await saved(file.bytes)])).toMatchObject({ code: 0, verdict: 'sound' });

    const told = await rows<{ action: string; actor: string | null; details: string }>(
      stack.db.fork(),
      `select action, actor, entry::json ->> 'details' as details from audit_entry
        where subject = $1 and action like 'incident.evidence%' order by at`,
      [incidentId],
    );
    expect(told.map(({ action, actor }) => [action, actor])).toEqual([
      ['incident.evidence_requested', auditor.userId],
      ['incident.evidence_created', auditor.userId],
      ['incident.evidence_read', auditor.userId],
    ]);
    for (const { details } of told.slice(1)) {
      expect(JSON.parse(details)).toMatchObject({ bundleId, sha256, manifestSha256: bundle.manifestSha256 });
    }
  });

  it('is made once for one key, and once for those who ask at the same time', async () => {
    const incidentId = await anIncident();
    const key = { 'Idempotency-Key': 'case-17' };
    const first = await make(incidentId, {}, key);
    expect(first.status).toBe(201);
    expect(await make(incidentId, {}, key)).toMatchObject({ status: 200, body: { bundleId: first.body.bundleId } });
    expect(await make(incidentId, { windowHours: 48 }, key)).toMatchObject({
      status: 409,
      body: { code: 'idempotency_key_reused' },
    });

    const other = await anIncident();
    const answers = await Promise.all(Array.from({ length: 8 }, () => make(other)));
    const bundles = new Set(answers.map(({ body }) => body.bundleId));
    expect(answers.every(({ status }) => status === 201 || status === 200)).toBe(true);
    const stored = await oneRow<{ bundles: number }>(
      stack.db.fork(),
      `select count(*)::int as bundles from evidence_bundle b join evidence_request r on r.id = b.id where r.incident_id = $1`,
      [other],
    );
    // Whoever comes after one was ready gets another one; nobody gets half of one.
    expect(stored.bundles).toBe(bundles.size);
    const listed = await stack.api.get(`${pathOf(other)}?limit=100`, { token: auditor.token });
    expect(listed.body.items.map(({ bundleId }: { bundleId: string }) => bundleId).toSorted()).toEqual(
      [...bundles].toSorted(),
    );
  });

  it('waits for a worker, and is made by the one that comes', async () => {
    const incidentId = await anIncident();
    await stack.stopWorker();
    const asked = await make(incidentId);
    expect(asked).toMatchObject({ status: 202, body: { status: 'requested', bundle: null } });
    const { bundleId } = asked.body;
    expect((await download(incidentId, bundleId)).status).toBe(409);
    await stack.startWorker();
    const ready = await eventually(
      async () => {
        const { body } = await stack.api.get(`${pathOf(incidentId)}/${bundleId}`, { token: auditor.token });
        return body.status === 'ready' ? body : undefined;
      },
      { what: 'the bundle' },
    );
    expect(ready?.bundle).toMatchObject({ valid: true });
    expect((await download(incidentId, bundleId)).status).toBe(200);
  });

  it('can be cancelled, however often, until it has ended; who asks anew gets another one', async () => {
    const incidentId = await anIncident();
    await stack.stopWorker();
    const { bundleId } = (await make(incidentId)).body;
    const path = `${pathOf(incidentId)}/${bundleId}`;
    const cancel = (by = auditor) => stack.api.post(`${path}/cancel`, {}, { token: by.token });
    const answers = await Promise.all([cancel(), cancel(), cancel()]);
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      expect(body).toMatchObject({ bundleId, status: 'cancelled', bundle: null });
    }
    const workflow = stack.temporal.workflow.getHandle(answers[0]?.body.workflowId);
    await stack.startWorker();
    await eventually(async () => (await workflow.describe()).status.name !== 'RUNNING', { what: 'its workflow’s end' });
    expect((await workflow.describe()).status.name).toBe('CANCELLED');
    expect(await cancel()).toMatchObject({ status: 200, body: { status: 'cancelled', bundle: null } });
    const told = await rows(
      stack.db.fork(),
      `select 1 from audit_entry where action = 'incident.evidence_cancelled' and actor = $1 and subject = $2`,
      [auditor.userId, incidentId],
    );
    expect(told).toHaveLength(1);

    const again = await make(incidentId);
    expect(again.body.bundleId).not.toBe(bundleId);
    await eventually(
      async () => {
        const now = await stack.api.get(`${pathOf(incidentId)}/${again.body.bundleId}`, { token: auditor.token });
        return now.body.status === 'ready';
      },
      { what: 'the other bundle', timeoutMs: 60_000 },
    );
    const ready = `${pathOf(incidentId)}/${again.body.bundleId}/cancel`;
    expect(await stack.api.post(ready, {}, { token: auditor.token })).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition' },
    });
    expect((await download(incidentId, again.body.bundleId)).status).toBe(200);
  });

  it('whose workflow is gone is cancelled all the same; of another incident, or by a reviewer, it is not', async () => {
    const [incidentId, other] = [await anIncident(), await anIncident()];
    await stack.stopWorker();
    const { bundleId, workflowId } = (await make(incidentId)).body;
    await stack.temporal.workflow.getHandle(workflowId).terminate();
    await stack.startWorker();
    const reviewer = await stack.people.signedIn('reviewer');
    const post = (of: string, by: SignedIn, body = {}) =>
      stack.api.post(`${pathOf(of)}/${bundleId}/cancel`, body, { token: by.token });
    expect(await post(other, auditor)).toMatchObject({ status: 404 });
    expect(await post(incidentId, reviewer)).toMatchObject({ status: 403 });
    expect(await post(incidentId, auditor, { force: true })).toMatchObject({ status: 400 });
    expect(await post(incidentId, auditor)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  });

  it('is of its own incident, and of one that there is', async () => {
    const [incidentId, other] = [await anIncident(), await anIncident()];
    const { bundleId } = (await make(incidentId)).body;
    for (const path of [`${pathOf(other)}/${bundleId}`, `${pathOf(incidentId)}/${uuidV7()}`]) {
      expect(await stack.api.get(path, { token: auditor.token })).toMatchObject({ status: 404 });
      expect(await stack.api.get(`${path}/download`, { token: auditor.token })).toMatchObject({ status: 404 });
    }
    expect(await make(uuidV7())).toMatchObject({ status: 404, body: { code: 'not_found' } });
    for (const windowHours of [0, 721, 1.5, '24']) {
      expect(await make(incidentId, { windowHours })).toMatchObject({ status: 400 });
    }
  });
});

describe('evidence of a log that was tampered with', () => {
  let incidentId: string;
  beforeEach(async () => {
    incidentId = await anIncident();
    await eventually(() =>
      row(
        stack.db.fork(),
        `select 1 as sealed from audit_seal s join audit_entry e on e.id = s.entry_id where e.subject = $1`,
        [incidentId],
      ),
    );
  });

  it('is given, says so, and opens the incident of that', async () => {
    await stack.ownerDb.transaction(async (tx) => {
      for (const text of [
        'alter table audit_entry disable trigger user',
        `update audit_entry set entry = replace(entry, '"success"', '"failure"') where subject = '${incidentId}'`,
        'alter table audit_entry enable trigger user',
      ]) {
        await rows(tx, text);
      }
    });
    const made = await make(incidentId);
    expect(made).toMatchObject({ status: 201, body: { bundle: { valid: false, reason: 'entry_changed' } } });
    const { bytes } = await download(incidentId, made.body.bundleId);
    expect(await verifyApart([await saved(bytes)])).toMatchObject({
      ...{ code: 1, verdict: 'not_sound', reason: 'entry_changed' },
      firstInvalidSeq: made.body.bundle.firstInvalidSeq,
    });
    const opened = await eventually(() =>
      row<{ severity: string }>(
        stack.db.fork(),
        `select severity from incident where cause = 'audit_failure' and subject_id = 'audit-log'`,
      ),
    );
    expect(opened).toEqual({ severity: 'critical' });
  });
});
