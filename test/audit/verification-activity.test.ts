import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditVerificationOutcome, createAuditActivities } from '../../activities/audit.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { readVerification } from '../../db/audit-verification.ts';
import { oneRow, row } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createPublishedLog } from './checkpoint-fixture.ts';

const ENTRIES = 4_500;

describe('the verification activity', () => {
  let log: Awaited<ReturnType<typeof createPublishedLog>>;
  let verifyAuditLog: ReturnType<typeof createAuditActivities>['verifyAuditLog'];
  beforeEach(async () => {
    log = await createPublishedLog();
    for (let n = 0; n < ENTRIES; n += 500) await log.append(...Array.from({ length: 500 }, (_, i) => n + i));
    await log.seal(5_000);
    const deps = {
      ...{ db: log.db, audit: log.audit, auditKey: log.auditKey, checkpoints: log.publisher },
      log: pino({ level: 'silent' }),
    };
    ({ verifyAuditLog } = createAuditActivities(deps as unknown as ActivityDeps));
  });
  afterEach(() => log.close());

  const tamperAt = (seq: number) =>
    log.asDatabaseAdministrator((sql) => sql(`update audit_seal set hash = sha256('x') where seq = $1`, [seq]));

  it('tells how far it is, and stores the result', async () => {
    const environment = new MockActivityEnvironment();
    const heartbeats: number[] = [];
    environment.on('heartbeat', ({ seq }: { seq: number }) => heartbeats.push(seq));
    const id = uuidV7();
    const outcome = await environment.run(verifyAuditLog, id);
    expect(outcome).toMatchObject({ status: 'valid', checked: ENTRIES, incidents: [] });
    expect(heartbeats).toEqual([1_023, 2_047, 3_071, 4_095, 4_499]);
    expect(await readVerification(log.db.fork(), id)).toMatchObject({ status: 'valid', total: ENTRIES, unsealed: 0 });
  });

  it('goes on behind what an attempt that died had checked', async () => {
    const { hash } = await oneRow<{ hash: Buffer }>(log.db.fork(), 'select hash from audit_seal where seq = 1999');
    await tamperAt(1_000);
    await tamperAt(3_000);
    const environment = new MockActivityEnvironment({
      attempt: 2,
      heartbeatDetails: { seq: 1_999, hash: hash.toString('hex') },
    });
    const outcome = await environment.run(verifyAuditLog, uuidV7());
    expect(outcome).toMatchObject({ status: 'invalid', firstInvalidSeq: 3_000, checked: 3_000 });
  });

  it('stops at the next page when it is cancelled, without a result', async () => {
    const environment = new MockActivityEnvironment();
    environment.on('heartbeat', () => environment.cancel());
    const id = uuidV7();
    await expect(environment.run(verifyAuditLog, id)).rejects.toThrow('CANCELLED');
    const stored = await readVerification(log.db.fork(), id);
    expect(stored).toMatchObject({ status: 'running', finishedAt: null });
    expect(stored?.checked).toBeLessThan(ENTRIES);
  });

  it('repeated after its result was committed, gives the same outcome and makes nothing twice', async () => {
    await tamperAt(7);
    const id = uuidV7();
    const first = (await new MockActivityEnvironment().run(verifyAuditLog, id)) as AuditVerificationOutcome;
    expect(first).toMatchObject({ status: 'invalid', firstInvalidSeq: 7, reason: 'column_changed' });
    expect(first.incidents).toHaveLength(1);
    expect(await new MockActivityEnvironment({ attempt: 2 }).run(verifyAuditLog, id)).toEqual(first);
    expect(await row(log.db.fork(), 'select count(*)::integer as count from incident')).toEqual({ count: 1 });
    expect(
      await row(log.db.fork(), `select count(*)::integer as count from audit_entry where action = 'audit.verified'`),
    ).toEqual({ count: 1 });
  });

  it('attaches a second finding to the incident that is open', async () => {
    await tamperAt(7);
    await new MockActivityEnvironment().run(verifyAuditLog, uuidV7());
    const second = await new MockActivityEnvironment().run(verifyAuditLog, uuidV7());
    expect(second).toMatchObject({ status: 'invalid', incidents: [] });
    expect(await row(log.db.fork(), 'select count(*)::integer as count from incident_event')).toEqual({ count: 2 });
  });
});
