import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { row, rows } from '../../db/sql.ts';
import type { Role } from '../../domain/roles.ts';
import { openCheckpoint } from '../../security/checkpoint.ts';
import { parseVerifierKey } from '../../security/signed-note.ts';
import { workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const PATH = '/api/admin/security/audit-logs';

let stack: Stack;
let auditor: SignedIn;
beforeAll(async () => {
  stack = await createStack();
  auditor = await stack.people.signedIn('auditor');
});
afterAll(() => stack?.close());

const get = (path: string) => stack.api.get(`${PATH}${path}`, { token: auditor.token });
const publish = () => stack.api.post(`${PATH}/checkpoints`, {}, { token: auditor.token });
const folder = () => stack.config.checkpoints.dir;
const files = () => readdirSync(folder()).sort();

/** The worker's sealer seals within a fraction of a second. */
const sealed = () =>
  eventually(async () => {
    const found = await row<{ waiting: boolean }>(
      stack.db.fork(),
      'select exists (select from audit_entry e where not exists (select from audit_seal s where s.entry_id = e.id)) as waiting',
    );
    return found?.waiting === false;
  });

describe('checkpoints over HTTP', () => {
  it('there is none before the first', async () => {
    expect((await get('/checkpoint')).status).toBe(404);
    expect((await get('/checkpoints')).body).toEqual({ items: [], nextCursor: null });
  });

  it('POST publishes one to the folder, GET shows the last as JSON and as the note that was published', async () => {
    await sealed();
    const answer = await publish();
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ status: 'published', name: files().at(-1) });
    const { body } = await get('/checkpoint');
    const note = readFileSync(join(folder(), answer.body.name), 'utf8');
    expect(body).toMatchObject({ name: answer.body.name, fork: 0, note });
    const checkpoint = openCheckpoint(note, [parseVerifierKey(body.key)]);
    expect(body).toMatchObject({
      ...{ size: checkpoint.size, root: checkpoint.root.toString('hex'), head: checkpoint.head.toString('hex') },
    });
    const plain = await fetch(`${stack.url}${PATH}/checkpoint`, {
      headers: { Authorization: `Bearer ${auditor.token}`, Accept: 'text/plain' },
    });
    expect(plain.headers.get('content-type')).toContain('text/plain');
    expect(await plain.text()).toBe(note);
  });

  it('the list pages through all of them once, the newest first', async () => {
    for (let n = 0; n < 3; n += 1) {
      await sealed();
      await publish();
    }
    const seen: { name: string }[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof get>> = await get(`/checkpoints?limit=2${cursor && `&cursor=${cursor}`}`);
      expect(page.status).toBe(200);
      seen.push(...page.body.items);
      cursor = page.body.nextCursor;
    }
    expect(seen.map(({ name }) => name)).toEqual(files().toReversed());
    expect(seen[0]).toMatchObject({ trigger: 'request', places: { folder: null }, witness: 'none' });
    for (const bad of ['abc', Buffer.from('[1]').toString('base64url')]) {
      expect((await get(`/checkpoints?cursor=${bad}`)).status).toBe(400);
    }
  });

  it('is for auditors and administrators, and what they read and ask for is in the log', async () => {
    for (const [role, status] of [
      ['customer', 403],
      ['reviewer', 403],
      ['admin', 200],
    ] as [Role, number][]) {
      const { token } = await stack.people.signedIn(role);
      expect((await stack.api.get(`${PATH}/checkpoints`, { token })).status).toBe(status);
      expect((await stack.api.get(`${PATH}/checkpoint`, { token })).status).toBe(status);
      expect((await stack.api.post(`${PATH}/checkpoints`, {}, { token })).status).toBe(status);
    }
    const actions = await rows<{ action: string }>(
      stack.db.fork(),
      'select distinct action from audit_entry where actor = $1',
      [auditor.userId],
    );
    expect(actions.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['audit.checkpoints_read', 'audit.checkpoint_requested']),
    );
  });

  it('a backup is covered by one that was published after it was written', async () => {
    const backupId = '0199aa00-0000-7000-8000-0000000000b1';
    await stack.temporal.workflow.execute('backup', {
      workflowId: workflowIds.backup(backupId),
      taskQueue: `${stack.config.taskQueuePrefix}-background`,
      args: [
        {
          ...{ backupId, trigger: 'manual', requestedBy: null },
          queues: {
            decisions: `${stack.config.taskQueuePrefix}-decisions`,
            background: `${stack.config.taskQueuePrefix}-background`,
          },
        },
      ],
    });
    const run = await row<{ status: string; audit_seq: string }>(
      stack.db.fork(),
      'select status, audit_seq from backup_run where id = $1',
      [backupId],
    );
    expect(run?.status).toBe('succeeded');
    const covering = await row<{ size: string }>(
      stack.db.fork(),
      `select size from audit_checkpoint where trigger = 'backup' order by size desc limit 1`,
    );
    expect(Number(covering?.size)).toBeGreaterThan(Number(run?.audit_seq));
  });

  it('a published one that the log contradicts opens one critical incident, whose workflow runs', async () => {
    const [last = ''] = files().toReversed();
    chmodSync(join(folder(), last), 0o644);
    const note = readFileSync(join(folder(), last), 'utf8');
    writeFileSync(join(folder(), last), note.replace(/time \d/, 'time 3'));
    for (let n = 0; n < 2; n += 1) {
      await sealed();
      expect((await publish()).body).toEqual({ status: 'refused', name: last, reason: 'checkpoint_forged' });
    }
    const incidents = await rows<{ id: string; severity: string; title: string }>(
      stack.db.fork(),
      `select id, severity, title from incident where cause = 'audit_failure'`,
    );
    expect(incidents).toMatchObject([{ severity: 'critical', title: expect.stringContaining('checkpoint_forged') }]);
    const workflow = stack.temporal.workflow.getHandle(workflowIds.incident(incidents[0]?.id ?? ''));
    expect((await workflow.describe()).status.name).toBe('RUNNING');
    writeFileSync(join(folder(), last), note);
    await sealed();
    expect((await publish()).body.status).toBe('published');
  });
});
