import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sealedSize } from '../../db/audit-tree.ts';
import { row, rows } from '../../db/sql.ts';
import { leafHash } from '../../security/audit-chain.ts';
import { verifyConsistency, verifyInclusion } from '../../security/merkle.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const PATH = '/api/admin/security/audit-logs';

let stack: Stack;
let auditor: SignedIn;
beforeAll(async () => {
  stack = await createStack();
  auditor = await stack.people.signedIn('auditor');
  // A tile and a half, so that proofs are made of stored nodes and of leaves.
  await stack.db.transaction((tx) =>
    stack.audit.append(
      tx,
      ...Array.from({ length: 400 }, (_, n) => ({
        action: 'test.happened',
        actor: { kind: 'system' as const },
        subject: { kind: 'thing', id: `thing-${n}` },
        outcome: 'success' as const,
      })),
    ),
  );
  await eventually(async () => (await sealedSize(stack.db.fork())) >= 400);
});
afterAll(() => stack?.close());

const get = (path: string, token = auditor.token) => stack.api.get(`${PATH}${path}`, { token });
const bytes = (texts: string[]) => texts.map((text) => Buffer.from(text, 'base64'));
const unhex = (text: string) => Buffer.from(text, 'hex');

/** Checks an answer as an auditor would, who has nothing but the answer. */
function check({ seq, size, leafHash: leaf, root, proof, entry }: Awaited<ReturnType<typeof get>>['body']) {
  expect(leafHash(entry).toString('hex')).toBe(leaf);
  verifyInclusion({ leaf: unhex(leaf), index: seq, size, root: unhex(root), proof: bytes(proof) });
}

describe('proofs of the audit log over HTTP', () => {
  it('show that an entry is in the log, with the entry as it was hashed', async () => {
    for (const seq of [0, 1, 255, 256, 399]) {
      const { status, body } = await get(`/${seq}/proof`);
      expect(status).toBe(200);
      expect(body.seq).toBe(seq);
      expect(body.size).toBeGreaterThanOrEqual(400);
      check(body);
      const stored = await row<{ entry: string }>(
        stack.db.fork(),
        'select e.entry from audit_seal s join audit_entry e on e.id = s.entry_id where s.seq = $1',
        [seq],
      );
      expect(body.entry).toBe(stored?.entry);
      expect(() => check({ ...body, seq: seq + 1 })).toThrow();
    }
  });

  it('show it in the tree of an earlier size, whose root is that of the checkpoint of that size', async () => {
    expect((await stack.api.post(`${PATH}/checkpoints`, {}, { token: auditor.token })).status).toBe(200);
    const checkpoint = (await get('/checkpoint')).body;
    const { body } = await get(`/7/proof?size=${checkpoint.size}`);
    expect(body.root).toBe(checkpoint.root);
    check(body);
    const whole = (await get('/256/proof?size=257')).body;
    expect(whole.proof).toHaveLength(1);
    check(whole);
  });

  it('show that the log only grew', async () => {
    const size = await sealedSize(stack.db.fork());
    for (const [from, to] of [
      [1, 1],
      [1, 400],
      [255, 257],
      [256, 400],
      [300, size],
    ]) {
      const { status, body } = await get(`/consistency?from=${from}&to=${to}`);
      expect(status).toBe(200);
      expect(body).toMatchObject({ from, to });
      const claim = {
        ...{ size1: body.from, root1: unhex(body.fromRoot), size2: body.to, root2: unhex(body.toRoot) },
        proof: bytes(body.proof),
      };
      verifyConsistency(claim);
      expect(() => verifyConsistency({ ...claim, root1: Buffer.alloc(32) })).toThrow();
      expect((await get(`/0/proof?size=${from}`)).body.root).toBe(body.fromRoot);
    }
  });

  it.each([
    ['/x/proof', 400],
    ['/-1/proof', 400],
    ['/01/proof', 400],
    ['/1.5/proof', 400],
    ['/9007199254740993/proof', 400],
    ['/0/proof?size=0', 400],
    ['/0/proof?size=1e2', 400],
    ['/0/proof?other=1', 400],
    ['/7/proof?size=7', 404],
    ['/999999/proof', 404],
    ['/0/proof?size=999999', 404],
    ['/consistency', 400],
    ['/consistency?from=1', 400],
    ['/consistency?from=0&to=2', 400],
    ['/consistency?from=3&to=2', 400],
    ['/consistency?from=1&to=999999', 404],
  ])('%s is refused with %i and what is wrong', async (path, status) => {
    const answer = await get(path);
    expect(answer.status).toBe(status);
    expect(answer.body.code).toBe(status === 400 ? 'validation_failed' : 'not_found');
    if (status === 404) expect(answer.body.detail).toMatch(/entries|first/);
  });

  it('are for auditors and administrators, and what they read is in the log', async () => {
    for (const role of ['customer', 'reviewer'] as const) {
      const { token } = await stack.people.signedIn(role);
      expect((await get('/0/proof', token)).status).toBe(403);
      expect((await get('/consistency?from=1&to=2', token)).status).toBe(403);
    }
    const admin = await stack.people.signedIn('admin');
    expect((await get('/3/proof?size=9', admin.token)).status).toBe(200);
    expect((await get('/consistency?from=4&to=9', admin.token)).status).toBe(200);
    const read = await rows<{ details: unknown }>(
      stack.db.fork(),
      `select entry::jsonb -> 'details' as details from audit_entry
        where action = 'audit.read' and actor = $1 order by at`,
      [admin.userId],
    );
    expect(read.map(({ details }) => details)).toEqual([
      { proof: 'inclusion', seq: 3, size: 9 },
      { proof: 'consistency', from: 4, to: 9 },
    ]);
  });

  it('do not hide the verification of that address', async () => {
    expect((await get('/verifications/0199aa00-0000-7000-8000-000000000001')).status).toBe(404);
    expect((await get('/verifications/proof')).status).toBe(400);
  });
});
