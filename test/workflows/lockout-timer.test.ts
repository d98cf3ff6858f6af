import { randomBytes } from 'node:crypto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLockoutActivities } from '../../activities/lockout.ts';
import { createAuditLog } from '../../db/audit.ts';
import { openIncident } from '../../db/incidents.ts';
import { openKeyring } from '../../db/keyring.ts';
import { activeLockoutOf } from '../../db/lockouts.ts';
import { createOutbox } from '../../db/outbox.ts';
import { oneRow, run } from '../../db/sql.ts';
import { createSubjectKeys } from '../../db/subject-keys.ts';
import { createUser, type NewUserDeps } from '../../db/users.ts';
import { loadConfig } from '../../platform/config.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';
import { type LockoutInput, lockoutUnlock, taskQueues, workflowIds } from '../../workflows/contract.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';
import { eventually } from '../helpers/eventually.ts';
import { startTimeSkippingServer } from '../helpers/time-skipping.ts';

const MINUTE = 60_000;

describe('the lockout timer at its real length', () => {
  let env: TestWorkflowEnvironment;
  let database: TestDatabase;
  let newUsers: NewUserDeps;
  let worker: Worker;
  let working: Promise<void>;
  const queues = taskQueues('lockout-timer');

  beforeAll(async () => {
    const [server, testDatabase, bundle]: [TestWorkflowEnvironment, TestDatabase, WorkflowBundleWithSourceMap] =
      await Promise.all([startTimeSkippingServer(), createDatabase(), bundleWorkflows()]);
    env = server;
    database = testDatabase;
    const config = loadConfig({
      NODE_ENV: 'test',
      DATABASE_URL: database.url,
      SESSION_SECRET: randomBytes(32).toString('base64'),
      ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      AUDIT_KEY: randomBytes(32).toString('base64'),
    });
    const audit = createAuditLog({ auditKey: config.auditKey });
    const keyring = await openKeyring(database.db, config);
    newUsers = { audit, subjectKeys: createSubjectKeys({ keyring }) };
    const outbox = createOutbox({ keyring });
    worker = await Worker.create({
      connection: env.nativeConnection,
      taskQueue: queues.decisions,
      workflowBundle: bundle,
      activities: createLockoutActivities({ db: database.db, audit, outbox }),
      dataConverter,
    });
    working = worker.run();
  }, 180_000);

  afterAll(async () => {
    worker?.shutdown();
    await working;
    await env?.teardown();
    await database?.close();
  });

  /** Locks a new account as the counting statement does, for fifteen minutes. */
  async function lockSomebody(): Promise<LockoutInput & { userId: string }> {
    const { db } = database;
    const id = await db.transaction((tx) =>
      createUser(tx, newUsers, {
        email: `${uuidV7()}@example.com`,
        fullName: 'Test Person',
        timeZone: null,
        role: 'customer',
        passwordHash: null,
        oneTime: false,
        confirmed: true,
        actor: { kind: 'system' },
      }),
    );
    const userId = id ?? '';
    // An incident of an earlier lock takes this one's evidence, so that no workflow without a worker stops the clock.
    await db.transaction((tx) =>
      openIncident(tx, newUsers, {
        cause: 'lockout',
        subjectKind: 'user',
        subjectId: userId,
        userId,
        title: 'An earlier lock',
        details: {},
        key: `test:${userId}`,
      }),
    );
    const [subject, loginId, lockoutId] = [randomBytes(32), uuidV7(), uuidV7()];
    await run(db.fork(), 'insert into login_subject (subject) values ($1)', [subject]);
    await run(
      db.fork(),
      `insert into login (id, attempt_id, subject, user_id, status, channel, device, device_signature, verdict_deadline)
       values ($1, $1, $2, $3, 'pending', 'bearer', '{}', '', clock_timestamp())`,
      [loginId, subject, userId],
    );
    await oneRow(
      db.fork(),
      `select outcome from login_settle($1, false, 1, interval '15 minutes', interval '15 minutes', $2)`,
      [loginId, lockoutId],
    );
    // By the server's clock, which other tests have put forward.
    const lockedUntil = new Date((await env.currentTimeMs()) + 15 * MINUTE).toISOString();
    return { userId, lockoutId, lockedUntil, userTag: '0'.repeat(32), queues };
  }

  const start = ({ userId: _user, ...input }: LockoutInput & { userId: string }) =>
    env.client.workflow.start('lockout', {
      workflowId: workflowIds.lockout(input.lockoutId),
      taskQueue: queues.decisions,
      args: [input],
    });

  it('[P1] unlocks after fifteen minutes, not before', async () => {
    const input = await lockSomebody();
    const before = await env.currentTimeMs();
    const handle = await start(input);
    await env.sleep(14 * MINUTE);
    expect(await activeLockoutOf(database.db.fork(), input.userId)).toMatchObject({ unlockedBy: null });
    expect(await handle.result()).toBe('timer');
    const waited = (await env.currentTimeMs()) - before;
    expect(waited).toBeGreaterThanOrEqual(15 * MINUTE);
    expect(waited).toBeLessThan(16 * MINUTE);
    expect(await activeLockoutOf(database.db.fork(), input.userId)).toBeUndefined();
  });

  it('is cut short by the signal alone', async () => {
    const input = await lockSomebody();
    const before = await env.currentTimeMs();
    const handle = await start(input);
    await env.sleep(5 * MINUTE);
    await run(database.db.fork(), 'update lockout set unlock_requested_by = $2 where id = $1', [
      input.lockoutId,
      input.userId,
    ]);
    await handle.signal(lockoutUnlock);
    // Asking for the result would let time skip, to the timer perhaps: the row tells first.
    await eventually(async () => (await activeLockoutOf(database.db.fork(), input.userId)) === undefined, {
      what: 'the unlock',
    });
    expect((await env.currentTimeMs()) - before).toBeLessThan(6 * MINUTE);
    expect(await handle.result()).toBe('admin');
  });
});
