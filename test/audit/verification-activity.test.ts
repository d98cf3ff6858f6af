import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AuditVerificationOutcome, createAuditActivities } from '../../activities/audit.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { readVerification } from '../../db/audit-verification.ts';
import { oneRow, row } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import type { AuditVerificationScope } from '../../workflows/contract.ts';
import { createPublishedLog } from './checkpoint-fixture.ts';

const ENTRIES = 4_500;

describe('the verification activity', () => {
  let log: Awaited<ReturnType<typeof createPublishedLog>>;
  let deps: object;
  let verifyAuditLog: ReturnType<typeof createAuditActivities>['verifyAuditLog'];
  beforeEach(async () => {
    log = await createPublishedLog();
    for (let n = 0; n < ENTRIES; n += 500) await log.append(...Array.from({ length: 500 }, (_, i) => n + i));
    await log.seal(5_000);
    deps = {
      ...{ db: log.db, audit: log.audit, auditKey: log.auditKey, checkpoints: log.publisher },
      log: pino({ level: 'silent' }),
    };
    ({ verifyAuditLog } = createAuditActivities(deps as unknown as ActivityDeps));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    return log.close();
  });

  const verify = (
    environment: MockActivityEnvironment,
    id: string,
    scope: AuditVerificationScope,
  ): Promise<AuditVerificationOutcome> => environment.run(() => verifyAuditLog(id, scope));

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

  it('goes on with a range behind what an attempt that died had checked, and counts from the start of the range', async () => {
    const { hash } = await oneRow<{ hash: Buffer }>(log.db.fork(), 'select hash from audit_seal where seq = 1999');
    await tamperAt(1_500);
    await tamperAt(4_200);
    const heartbeatDetails = { seq: 1_999, hash: hash.toString('hex'), mode: 'range', from: 1_000 };
    const environment = new MockActivityEnvironment({ attempt: 2, heartbeatDetails });
    const id = uuidV7();
    const outcome = await verify(environment, id, { mode: 'range', from: 1_000, to: 4_000 });
    expect(outcome).toMatchObject({ status: 'valid', mode: 'range', from: 1_000, to: 4_000, checked: 3_000 });
    expect(await readVerification(log.db.fork(), id)).toMatchObject({
      ...{ status: 'valid', mode: 'range', from: 1_000, to: 4_000, checked: 3_000, total: 3_000 },
    });
  });

  it('goes on with an incremental run where it began, whatever was verified meanwhile', async () => {
    await log.publisher.publish({ trigger: 'schedule' });
    await new MockActivityEnvironment().run(verifyAuditLog, uuidV7());
    await log.append(...Array.from({ length: 900 }, (_, n) => n));
    await log.seal(5_000);
    await log.publisher.publish({ trigger: 'schedule' });
    const died = new MockActivityEnvironment();
    let told: unknown;
    died.on('heartbeat', (details: unknown) => {
      told ??= details;
      died.cancel();
    });
    const id = uuidV7();
    await expect(verify(died, id, { mode: 'incremental' })).rejects.toThrow('CANCELLED');
    expect(told).toMatchObject({ mode: 'incremental', from: ENTRIES });
    // Another one covers all of it in between.
    await new MockActivityEnvironment().run(verifyAuditLog, uuidV7());
    const again = new MockActivityEnvironment({ attempt: 2, heartbeatDetails: told });
    expect(await verify(again, id, { mode: 'incremental' })).toMatchObject({
      ...{ status: 'valid', mode: 'incremental', from: ENTRIES },
      checked: ENTRIES + 902 - ENTRIES,
    });
  });

  it('by the clock goes through everything once a day, and through what is new in between', async () => {
    const byTheClock = () => verify(new MockActivityEnvironment(), uuidV7(), { mode: 'daily' });
    await log.publisher.publish({ trigger: 'schedule' });
    expect(await byTheClock()).toMatchObject({ status: 'valid', mode: 'full', from: 0, checked: ENTRIES });
    await log.seal();
    const second = await byTheClock();
    expect(second).toMatchObject({ status: 'valid', mode: 'incremental', from: ENTRIES, to: ENTRIES + 2, checked: 2 });
    // A text that was changed meanwhile lies below its start.
    await log.asDatabaseAdministrator((sql) =>
      sql(`update audit_entry set entry = replace(entry, '"success"', '"failure"')
        where id = (select entry_id from audit_seal where seq = 5)`),
    );
    expect(await byTheClock()).toMatchObject({ status: 'valid', mode: 'incremental' });
    // A day later: what the log says of the full run was written a day ago.
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 24 * 3_600_000);
    expect(await byTheClock()).toMatchObject({ status: 'invalid', mode: 'full', firstInvalidSeq: 5 });
    vi.restoreAllMocks();
    // And from then on until it is sound again.
    expect(await byTheClock()).toMatchObject({ status: 'invalid', mode: 'full', firstInvalidSeq: 5 });
  });

  it('goes through everything where nothing published can be read', async () => {
    await log.publisher.publish({ trigger: 'schedule' });
    await new MockActivityEnvironment().run(verifyAuditLog, uuidV7());
    const away = { ...log.publisher, evidence: () => Promise.reject(new Error('away')) };
    const { verifyAuditLog: blind } = createAuditActivities({ ...deps, checkpoints: away } as unknown as ActivityDeps);
    for (const mode of ['daily', 'incremental'] as const) {
      expect(await new MockActivityEnvironment().run(() => blind(uuidV7(), { mode }))).toMatchObject({
        ...{ status: 'valid', mode: 'full', from: 0 },
      });
    }
  });

  it('at once, several of them over several parts, come to the same end as alone', async () => {
    await log.publisher.publish({ trigger: 'schedule' });
    await new MockActivityEnvironment().run(verifyAuditLog, uuidV7());
    await tamperAt(3_000);
    const scopes = [
      { scope: { mode: 'full' }, ends: { status: 'invalid', firstInvalidSeq: 3_000, checked: 3_000 } },
      { scope: { mode: 'daily' }, ends: { status: 'valid', mode: 'incremental', from: ENTRIES } },
      { scope: { mode: 'incremental' }, ends: { status: 'valid', mode: 'incremental', from: ENTRIES } },
      { scope: { mode: 'range', from: 10, to: 2_900 }, ends: { status: 'valid', checked: 2_890 } },
      { scope: { mode: 'range', from: 2_900, to: 3_100 }, ends: { status: 'invalid', checked: 100 } },
      { scope: { mode: 'full' }, ends: { status: 'invalid', firstInvalidSeq: 3_000 } },
    ] as const;
    const outcomes = await Promise.all(
      scopes.map(({ scope }) => verify(new MockActivityEnvironment(), uuidV7(), scope)),
    );
    for (const [at, { ends }] of scopes.entries()) expect(outcomes[at]).toMatchObject(ends);
    expect(await row(log.db.fork(), 'select count(*)::integer as count from incident')).toEqual({ count: 1 });
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
