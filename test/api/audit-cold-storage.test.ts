import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createAuditArchive } from '../../activities/audit-archive.ts';
import { openCheckpointPublisher } from '../../activities/open-checkpoints.ts';
import { sealedSize } from '../../db/audit-tree.ts';
import { rows, run } from '../../db/sql.ts';
import { verifyInclusion } from '../../security/merkle.ts';
import { monthAgo } from '../audit/cold-fixture.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const PATH = '/api/admin/security/audit-logs';
const { start, month } = monthAgo(5);

let stack: Stack;
let auditor: SignedIn;
let manifestSha256: string;
/** Sequence numbers of the archived month. */
let range: { from: number; to: number };
beforeAll(async () => {
  stack = await createStack();
  auditor = await stack.people.signedIn('auditor');
  const table = `audit_entry_${month.replace('-', '')}`;
  const [ids] = await rows<{ first: string; end: string }>(
    stack.ownerDb.fork(),
    `select audit_month_start(timestamp '${month}-01' at time zone 'UTC') as first,
            audit_month_start((timestamp '${month}-01' + interval '1 month') at time zone 'UTC') as end`,
  );
  await run(
    stack.ownerDb.fork(),
    `create table ${table} partition of audit_entry for values from ('${ids?.first}') to ('${ids?.end}')`,
  );
  const event = (n: number) => ({
    action: 'test.happened',
    actor: { kind: 'system' as const },
    subject: { kind: 'thing', id: `thing-${n}` },
    outcome: 'success' as const,
  });
  await stack.db.transaction((tx) => {
    // Ids and times are made at once: nothing else of the process sees this clock.
    vi.useFakeTimers({ toFake: ['Date'], now: start + 86_400_000 });
    try {
      return stack.audit.append(tx, ...[1, 2, 3, 4, 5].map(event));
    } finally {
      vi.useRealTimers();
    }
  });
  await eventually(async () =>
    rows<{ sealed: string }>(
      stack.db.fork(),
      `select 1 from audit_seal s join audit_entry e on e.id = s.entry_id where e.subject = 'thing-5'`,
    ).then((found) => found.length > 0),
  );
  const { auditKey, checkpoints: settings } = stack.config;
  const { db, ownerDb: owner, audit } = stack;
  const publisher = openCheckpointPublisher({ db, audit, auditKey, settings, log: { info() {}, warn() {} } });
  await publisher.publish({ trigger: 'request' });
  const done = await createAuditArchive({ db, owner, audit, auditKey, publisher }).archive({
    ...{ month, dir: join(stack.config.dataDir, 'archive') },
  });
  ({ manifestSha256 } = done);
  range = done;
});
afterAll(() => stack?.close());

const get = (path: string) => stack.api.get(`${PATH}${path}`, { token: auditor.token });

it('an entry in cold storage is still proved, and the answer says where it is', async () => {
  const { status, body } = await get(`/${range.from}/proof`);
  expect(status).toBe(200);
  expect(body).toMatchObject({ entry: null, archivedIn: { month, manifestSha256 } });
  verifyInclusion({
    ...{
      leaf: Buffer.from(body.leafHash, 'hex'),
      index: body.seq,
      size: body.size,
      root: Buffer.from(body.root, 'hex'),
    },
    proof: body.proof.map((text: string) => Buffer.from(text, 'base64')),
  });
  const other = await get(`/${range.to}/proof`);
  expect(other.body.entry).toContain('"action"');
  expect(other.body.archivedIn).toBeNull();
});

it('a search says which months it could not look into, and pages without a gap', async () => {
  const [count] = await rows<{ n: string }>(stack.db.fork(), 'select count(*) as n from audit_entry');
  const all = await get('?limit=2');
  expect(all.body.inColdStorage).toEqual([month]);
  let { body } = all;
  let found = body.items.length;
  while (body.nextCursor !== null) {
    ({ body } = await get(`?limit=50&cursor=${encodeURIComponent(body.nextCursor)}`));
    found += body.items.length;
  }
  expect(found).toBe(Number(count?.n));
  expect((await get(`?from=${new Date(start + 40 * 86_400_000).toISOString()}`)).body.inColdStorage).toEqual([]);
  expect((await get(`?to=${new Date(start).toISOString()}`)).body.inColdStorage).toEqual([]);
  const within = await get(
    `?from=${new Date(start).toISOString()}&to=${new Date(start + 2 * 86_400_000).toISOString()}`,
  );
  expect(within.body).toMatchObject({ items: [], inColdStorage: [month] });
});

it('a verification counts them', async () => {
  const size = await sealedSize(stack.db.fork());
  const { status, body } = await stack.api.post(`${PATH}/verify-chain`, {}, { token: auditor.token });
  expect(status).toBe(200);
  expect(body).toMatchObject({ valid: true, archived: 5 });
  expect(body.checked).toBeGreaterThanOrEqual(size);
});
