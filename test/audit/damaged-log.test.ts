import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCheckpointActivities } from '../../activities/audit-checkpoint.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { headAt } from '../../db/audit-tree.ts';
import { rows } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createPublishedLog, nameOf, type PublishedLog } from './checkpoint-fixture.ts';

describe('a log that is damaged, so that no checkpoint can be made of it,', () => {
  let log: PublishedLog;
  beforeEach(async () => {
    log = await createPublishedLog();
    await log.grow(...Array.from({ length: 20 }, (_, n) => n));
    await log.append('news');
    await log.seal();
  });
  afterEach(() => log.close());

  function publish() {
    const deps = { db: log.db, audit: log.audit, checkpoints: log.publisher } as unknown as ActivityDeps;
    const { publishAuditCheckpoint } = createCheckpointActivities(deps);
    const workflowExecution = { workflowId: 'audit-checkpoint', runId: uuidV7() };
    return new MockActivityEnvironment({ workflowExecution }).run(() =>
      publishAuditCheckpoint({ trigger: 'schedule' }),
    );
  }
  const incidents = () =>
    rows<{ severity: string; title: string; details: Record<string, unknown>; events: string }>(
      log.db.fork(),
      `select i.severity, i.title, max(e.details::text)::jsonb as details, count(*) as events
         from incident i join incident_event e on e.incident_id = i.id group by i.id`,
    );

  it('opens one critical incident at once, which says what is missing, and fails no run', async () => {
    await log.asDatabaseAdministrator((sql) => sql('delete from audit_seal where seq = 7'));
    const detail = 'The audit log is damaged: the seal of entry 7 is missing. Verify it.';
    expect(await publish()).toEqual({
      ...{ status: 'refused', name: null, reason: 'log_damaged' },
      incidents: [{ incidentId: expect.any(String), severity: 'critical' }],
    });
    // The runs of the next hours find the same.
    for (let n = 0; n < 2; n += 1) expect(await publish()).toMatchObject({ status: 'refused', incidents: [] });
    expect(await incidents()).toEqual([
      {
        ...{ severity: 'critical', title: expect.stringContaining('the seal of entry 7 is missing'), events: '1' },
        details: expect.objectContaining({ reason: 'log_damaged', detail, size: 22 }),
      },
    ]);
    expect(await log.entriesOf('audit.checkpoint_refused')).toMatchObject([
      { reason: 'log_damaged', detail, size: 22 },
    ]);
  });

  it('by a missing node of its tree does the same', async () => {
    await log.append(...Array.from({ length: 800 }, (_, n) => n));
    await log.seal(1_000);
    await log.asDatabaseAdministrator((sql) => sql('delete from audit_tree_node where index = 1'));
    expect(await publish()).toMatchObject({ status: 'refused', reason: 'log_damaged', incidents: [{}] });
    expect(await incidents()).toMatchObject([{ title: expect.stringContaining('node 1 at level 8 of its tree') }]);
  });

  it('by the seal that a published checkpoint ends with does the same', async () => {
    await log.append(...Array.from({ length: 800 }, (_, n) => n));
    await log.seal(1_000);
    await log.asDatabaseAdministrator((sql) => sql('delete from audit_seal where seq = 19'));
    await expect(headAt(log.db.fork(), 20)).rejects.toMatchObject({ code: 'log_damaged' });
    await expect(headAt(log.db.fork(), 20_000)).rejects.toMatchObject({ code: 'not_found' });
    expect(await publish()).toMatchObject({ status: 'refused', reason: 'log_damaged', incidents: [{}] });
    expect(await incidents()).toMatchObject([{ title: expect.stringContaining('the seal of entry 19 is missing') }]);
  });

  it('is another finding than a checkpoint that it contradicts', async () => {
    await log.asDatabaseAdministrator((sql) => sql('delete from audit_seal where seq = 7'));
    await publish();
    await log.asDatabaseAdministrator((sql) => sql('delete from audit_seal where seq >= 7'));
    expect(await publish()).toMatchObject({ status: 'refused', reason: 'tail_truncated', name: nameOf(0, 20) });
    expect(await incidents()).toMatchObject([{ events: '2' }]);
  });
});
