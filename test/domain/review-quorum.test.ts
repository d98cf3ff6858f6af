import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideReview,
  type ReviewSubject,
  refuseReviewer,
  refuseVerdict,
  requiredApprovals,
  type VerdictRow,
} from '../../domain/review.ts';

const subject: ReviewSubject = {
  ownerId: 'owner',
  initiatorId: 'initiator',
  requiredApprovals: 1,
  reviewBy: 1_000,
  rejectedBefore: [],
};

function row(verdictId: string, overrides: Partial<VerdictRow> = {}): VerdictRow {
  return { verdictId, reviewerId: 'ann', reviewerRole: 'reviewer', verdict: 'approve', recordedAt: 10, ...overrides };
}

describe('who may decide', () => {
  it('is a reviewer or admin, never the owner or the initiator', () => {
    expect(refuseReviewer(subject, { id: 'ann', role: 'reviewer' })).toBeNull();
    expect(refuseReviewer(subject, { id: 'ann', role: 'admin' })).toBeNull();
    for (const role of ['customer', 'auditor', 'importer'] as const) {
      expect(refuseReviewer(subject, { id: 'ann', role })).toBe('not_a_reviewer');
    }
    expect(refuseReviewer(subject, { id: 'owner', role: 'admin' })).toBe('own_transaction');
    expect(refuseReviewer(subject, { id: 'initiator', role: 'admin' })).toBe('own_transaction');
  });

  it('needs two above the configured amount only', () => {
    expect(requiredApprovals(5_000_000n, 5_000_000n)).toBe(1);
    expect(requiredApprovals(5_000_001n, 5_000_000n)).toBe(2);
  });
});

describe('what verdicts amount to', () => {
  const two = { ...subject, requiredApprovals: 2 };

  it('awaits without verdicts', () => {
    expect(decideReview(subject, [])).toMatchObject({ outcome: 'awaiting', approvals: 0, required: 1 });
  });

  it('approves with enough different reviewers and not with one twice', () => {
    const once = [row('1'), row('2', { recordedAt: 20 })];
    expect(decideReview(two, once)).toMatchObject({
      outcome: 'awaiting',
      approvals: 1,
      refused: [{ verdictId: '2', reason: 'already_voted' }],
    });
    expect(decideReview(two, [...once, row('3', { reviewerId: 'bob', recordedAt: 30 })])).toMatchObject({
      outcome: 'approved',
      counted: ['1', '3'],
    });
  });

  it('rejects with one rejection, also of somebody who approved before', () => {
    expect(decideReview(two, [row('1'), row('2', { verdict: 'reject', recordedAt: 20 })]).outcome).toBe('rejected');
  });

  it('counts a verdict recorded at the deadline and refuses one recorded after it', () => {
    expect(decideReview(subject, [row('1', { recordedAt: 1_000 })]).outcome).toBe('approved');
    expect(decideReview(subject, [row('1', { recordedAt: 1_001 })])).toMatchObject({
      outcome: 'awaiting',
      refused: [{ verdictId: '1', reason: 'review_expired' }],
    });
  });

  it('lets the first decision stand', () => {
    const verdicts = [row('1'), row('2', { reviewerId: 'bob', verdict: 'reject', recordedAt: 11 })];
    expect(decideReview(subject, verdicts)).toMatchObject({
      outcome: 'approved',
      refused: [{ verdictId: '2', reason: 'already_decided' }],
    });
    expect(refuseVerdict(subject, [row('1')], row('2', { reviewerId: 'bob', recordedAt: 11 }))).toBe('already_decided');
  });

  it('does not let a refused vote use up the right to vote', () => {
    const asCustomer = row('1', { reviewerRole: 'customer' });
    expect(refuseVerdict(two, [asCustomer], row('2', { recordedAt: 20 }))).toBeNull();
  });

  it('counts nothing of who rejected it before, and everything of the others', () => {
    const appealed = { ...subject, rejectedBefore: ['ann'] };
    for (const verdict of ['approve', 'reject'] as const) {
      expect(refuseVerdict(appealed, [], row('1', { verdict }))).toBe('decided_before');
    }
    expect(decideReview(appealed, [row('1'), row('2', { reviewerId: 'bob' })])).toMatchObject({
      outcome: 'approved',
      counted: ['2'],
      refused: [{ verdictId: '1', reason: 'decided_before' }],
    });
  });

  it('does not depend on the order in which the rows were read', () => {
    const anyRow = fc.record({
      reviewerId: fc.constantFrom('ann', 'bob', 'cid', 'owner'),
      reviewerRole: fc.constantFrom('reviewer' as const, 'admin' as const, 'customer' as const),
      verdict: fc.constantFrom('approve' as const, 'approve' as const, 'reject' as const),
      recordedAt: fc.integer({ min: 990, max: 1_005 }),
    });
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 6 }), fc.infiniteStream(fc.nat()), (rows, keys) => {
        const verdicts = rows.map((fields, i) => ({ ...fields, verdictId: `v${i}` }));
        const shuffled = verdicts
          .map((verdict) => ({ verdict, key: keys.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ verdict }) => verdict);
        expect(decideReview(two, shuffled)).toEqual(decideReview(two, verdicts));
      }),
    );
  });
});
