import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { remainingScratches } from '../../db/scratch-database.ts';
import { oneRow, row, rows, run } from '../../db/sql.ts';
import { workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
let admin: SignedIn;
let auditor: SignedIn;

beforeAll(async () => {
  stack = await createStack();
  admin = await stack.people.signedIn('admin');
  auditor = await stack.people.signedIn('auditor');
});
afterAll(() => stack.close());

const post = (path: string, token = admin.token) => stack.api.post(`/api/admin/backups${path}`, {}, { token });
const get = (path: string, token = admin.token) => stack.api.get(`/api/admin/backups${path}`, { token });
const ended = (location: string) =>
  eventually(
    async () => {
      const { body } = await stack.api.get(location, { token: admin.token });
      return body.status !== 'running' && body;
    },
    { what: location, timeoutMs: 50_000 },
  );
const actionsOn = async (id: string) =>
  (
    await rows<{ action: string }>(
      stack.db.fork(),
      'select action from audit_entry where subject = $1 order by at, id',
      [id],
    )
  ).map(({ action }) => action);

describe('a backup by the API', () => {
  it('[B4] is begun, done, listed, and stands in the audit log with who asked', async () => {
    const begun = await post('');
    expect(begun.status, JSON.stringify(begun.body)).toBe(202);
    expect(begun.headers.get('location')).toBe(`/api/admin/backups/${begun.body.backupId}`);
    const done = await ended(begun.headers.get('location') ?? '');
    expect(done).toMatchObject({ status: 'succeeded', trigger: 'manual', requestedBy: admin.userId, copiedAt: null });
    expect(done.fileSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(done.tables).toBeGreaterThan(20);
    expect(existsSync(join(stack.config.backupDir, `${done.backupId}.manifest.json`))).toBe(true);
    const list = await get('', auditor.token);
    expect(list.body.items[0]).toEqual(done);
    expect(await actionsOn(done.backupId)).toEqual(
      expect.arrayContaining(['backup.started', 'backup.requested', 'backup.completed']),
    );
  });

  it('is no business of others', async () => {
    const customer = await stack.people.signedIn('customer');
    const reviewer = await stack.people.signedIn('reviewer');
    for (const { token } of [customer, reviewer]) {
      expect((await get('', token)).status).toBe(403);
      expect((await post('', token)).status).toBe(403);
    }
    expect((await post('', auditor.token)).status).toBe(403);
    expect((await stack.api.get('/api/admin/backups')).status).toBe(401);
    await run(stack.db.fork(), `update session set factor_at = factor_at - interval '1 hour' where user_id = $1`, [
      admin.userId,
    ]);
    expect((await post('')).body).toMatchObject({ code: 'step_up_needed' });
    await run(stack.db.fork(), 'update session set factor_at = clock_timestamp() where user_id = $1', [admin.userId]);
  });

  it('is refused while another one runs', async () => {
    await run(
      stack.db.fork(),
      `insert into backup_run (id, trigger, status, phase) values (gen_random_uuid(), 'cli', 'running', 'dump')`,
    );
    const refused = await post('');
    expect(refused).toMatchObject({ status: 409, body: { code: 'backup_running' } });
    await run(
      stack.db.fork(),
      `update backup_run set status = 'cancelled', finished_at = now() where status = 'running'`,
    );
  });

  it('that fails is tried again, and succeeds when what was wrong is put right', async () => {
    // Something else lies where the folder has to be.
    renameSync(stack.config.backupDir, `${stack.config.backupDir}.aside`);
    writeFileSync(stack.config.backupDir, '');
    const { body } = await post('');
    await eventually(
      async () => {
        const description = await stack.temporal.workflow.getHandle(workflowIds.backup(body.backupId)).describe();
        return (description.raw.pendingActivities?.[0]?.attempt ?? 0) >= 2;
      },
      { what: 'a second attempt' },
    );
    renameSync(stack.config.backupDir, `${stack.config.backupDir}.file`);
    renameSync(`${stack.config.backupDir}.aside`, stack.config.backupDir);
    expect(await ended(`/api/admin/backups/${body.backupId}`)).toMatchObject({ status: 'succeeded' });
  });

  it('is stopped on request, and nothing of it stays', async () => {
    const before = readdirSync(stack.config.backupDir);
    // A lock that the count waits for, so that it is still under way.
    const locked = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const holding = stack.ownerDb.transaction(async (tx) => {
      await run(tx, 'lock table incident_event in access exclusive mode');
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    const { body } = await post('');
    const cancelled = await post(`/${body.backupId}/cancel`);
    expect(cancelled.status).toBe(202);
    expect(await ended(`/api/admin/backups/${body.backupId}`)).toMatchObject({ status: 'cancelled', reason: null });
    release.resolve();
    await holding;
    expect(readdirSync(stack.config.backupDir)).toEqual(before);
    expect((await post(`/${body.backupId}/cancel`)).body).toMatchObject({ code: 'not_cancellable' });
    expect(await actionsOn(body.backupId)).toContain('backup.cancelled');
    const incident = await row(
      stack.db.fork(),
      `select id from incident where cause = 'backup_failed' and status <> 'resolved'`,
    );
    expect(incident).toBeUndefined();
  });
});

describe('[B7] a restore drill by the API', () => {
  it('restores one backup, checks it, and leaves no database', async () => {
    const { body: list } = await get('');
    const backup = list.items.find((item: { status: string }) => item.status === 'succeeded');
    const begun = await post(`/${backup.backupId}/restore-drill`);
    expect(begun.status, JSON.stringify(begun.body)).toBe(202);
    const done = await ended(begun.headers.get('location') ?? '');
    expect(done).toMatchObject({
      status: 'succeeded',
      backupId: backup.backupId,
      tablesChecked: backup.tables,
      rowsChecked: backup.rows,
    });
    expect(await remainingScratches(stack.ownerUrl)).not.toContain(done.drillId);
    expect((await get('/restore-drills', auditor.token)).body.items[0]).toEqual(done);
    expect(await actionsOn(done.drillId)).toEqual(
      expect.arrayContaining(['restore_drill.started', 'restore_drill.completed']),
    );
  });

  it('that finds a damaged backup fails, opens an incident, and the next good one resolves it', async () => {
    const { body: list } = await get('');
    const good = list.items.filter((item: { status: string }) => item.status === 'succeeded');
    const victim = good[0].backupId;
    const folder = stack.config.backupDir;
    const file = readdirSync(folder).find((name) => name.startsWith(victim) && name.endsWith('.backup')) ?? '';
    const bytes = readFileSync(join(folder, file));
    const altered = Buffer.from(bytes);
    altered[altered.length - 50] = (altered[altered.length - 50] ?? 0) ^ 1;
    writeFileSync(join(folder, file), altered);
    const failed = await ended((await post(`/${victim}/restore-drill`)).headers.get('location') ?? '');
    expect(failed).toMatchObject({ status: 'failed', reason: 'backup_corrupt' });
    const open = () =>
      row<{ id: string; severity: string }>(
        stack.db.fork(),
        `select id, severity from incident where cause = 'restore_drill_failed' and status <> 'resolved'`,
      );
    expect(await open()).toMatchObject({ severity: 'high' });
    writeFileSync(join(folder, file), bytes);
    expect(await ended((await post(`/${victim}/restore-drill`)).headers.get('location') ?? '')).toMatchObject({
      status: 'succeeded',
    });
    await eventually(async () => (await open()) === undefined, { what: 'the incident resolved' });
  });

  it('of a backup that is not known is refused', async () => {
    expect((await post('/019b0000-0000-7000-8000-000000000009/restore-drill')).status).toBe(404);
  });
});

describe('a worker without what backups need', () => {
  it('runs, and refuses with what is missing', async () => {
    const bare = await createStack({ env: { DATABASE_BACKUP_URL: '', DATABASE_DRILL_URL: '' } });
    try {
      const staff = await bare.people.signedIn('admin');
      const refused = await bare.api.post('/api/admin/backups', {}, { token: staff.token });
      expect(refused).toMatchObject({ status: 503, body: { code: 'backups_unavailable', reason: 'backups_off' } });
      expect(refused.body.detail).toContain('DATABASE_BACKUP_URL');
      const { n } = await oneRow<{ n: string }>(bare.db.fork(), 'select count(*) as n from backup_run');
      expect(n).toBe('0');
    } finally {
      await bare.close();
    }
  });
});
