import { describe, expect, it } from 'vitest';
import { DomainError, ERROR_MEANINGS, isDomainError } from '../../domain/errors.ts';
import {
  assertIncidentCanBecome,
  ESCALATION_DELAY_MS,
  escalated,
  graver,
  INCIDENT_STATUSES,
  SEVERITIES,
  severityOf,
} from '../../domain/incident.ts';
import { canAdminister, canAudit, canReview, isRole, isStaff, ROLES } from '../../domain/roles.ts';
import {
  assertCanBecome,
  canBecome,
  isAppealable,
  isCancellable,
  isFinal,
  REJECTION_CODES,
  reserves,
  TRANSACTION_STATUSES,
} from '../../domain/transaction.ts';

describe('a transaction', () => {
  it('moves only forward, and back to a hold on appeal alone', () => {
    const allowed = TRANSACTION_STATUSES.flatMap((from) =>
      TRANSACTION_STATUSES.filter((to) => canBecome(from, to)).map((to) => `${from}>${to}`),
    );
    expect(allowed.toSorted()).toEqual([
      'payment_required>rejected',
      'payment_required>settled',
      'quarantined>payment_required',
      'quarantined>rejected',
      'quarantined>settled',
      'rejected>quarantined',
      'step_up_required>payment_required',
      'step_up_required>quarantined',
      'step_up_required>rejected',
      'step_up_required>settled',
    ]);
    expect(() => assertCanBecome('settled', 'rejected')).toThrow(
      expect.objectContaining({ code: 'illegal_transition', meaning: 'conflict' }),
    );
  });

  it('can be cancelled until it is final', () => {
    expect(TRANSACTION_STATUSES.filter(isCancellable)).toEqual(['step_up_required', 'quarantined', 'payment_required']);
    expect(TRANSACTION_STATUSES.filter(isFinal)).toEqual(['settled', 'rejected']);
  });

  it('can be appealed against where a review rejected it', () => {
    const appealable = REJECTION_CODES.filter((code) => isAppealable('rejected', code));
    expect(appealable).toEqual(['review_rejected', 'review_expired']);
    expect(isAppealable('settled', null)).toBe(false);
    expect(isAppealable('quarantined', 'review_rejected')).toBe(false);
  });

  it('reserves what it would take away', () => {
    expect(['buy', 'withdrawal', 'transfer'].map((type) => reserves(type as 'buy'))).toEqual(['cash', 'cash', 'cash']);
    expect(reserves('sell')).toBe('position');
    expect(reserves('deposit')).toBe('nothing');
  });

  it('has a catalogued error for every rejection', () => {
    expect(REJECTION_CODES.filter((code) => !(code in ERROR_MEANINGS))).toEqual([]);
  });
});

describe('an incident', () => {
  it('[P8] starts with the severity of its cause', () => {
    expect(severityOf('lockout')).toBe('low');
    expect(severityOf('quarantine')).toBe('medium');
    expect(severityOf('login_escalated')).toBe('high');
    expect(severityOf('restriction')).toBe('high');
    expect(severityOf('audit_failure')).toBe('critical');
  });

  it('goes from open to investigating to resolved and never back', () => {
    const possible = (from: string, to: string) => {
      try {
        assertIncidentCanBecome(from as 'open', to as 'open');
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: 'illegal_transition' });
        return false;
      }
    };
    const moves = INCIDENT_STATUSES.flatMap((from) =>
      INCIDENT_STATUSES.filter((to) => possible(from, to)).map((to) => `${from}>${to}`),
    );
    expect(moves).toEqual(['open>investigating', 'open>resolved', 'investigating>resolved']);
  });

  it('escalates sooner and further up the graver it is, and stops at critical', () => {
    const delays = SEVERITIES.map((severity) => ESCALATION_DELAY_MS[severity]);
    expect(delays).toEqual(delays.toSorted((a, b) => b - a));
    expect(SEVERITIES.map(escalated)).toEqual(['medium', 'high', 'critical', 'critical']);
    expect(graver('high', 'medium')).toBe('high');
    expect(graver('low', 'medium')).toBe('medium');
  });
});

describe('a role', () => {
  it('gives staff views to staff alone and decisions to reviewers and admins alone', () => {
    expect(ROLES.filter(isStaff)).toEqual(['reviewer', 'admin', 'auditor']);
    expect(ROLES.filter(canReview)).toEqual(['reviewer', 'admin']);
    expect(ROLES.filter(canAudit)).toEqual(['admin', 'auditor']);
    expect(ROLES.filter(canAdminister)).toEqual(['admin']);
    expect(isRole('root')).toBe(false);
  });
});

describe('an error', () => {
  it('derives its meaning from its code and survives a bundle border', () => {
    const error = new DomainError('account_locked', 'Locked.', { retryAfter: 60 });
    expect(error).toMatchObject({ code: 'account_locked', meaning: 'locked', extra: { retryAfter: 60 } });
    const foreign = Object.assign(new Error('x'), { name: 'DomainError', code: 'not_found', meaning: 'not_found' });
    expect([error, foreign, new Error('x'), null].map(isDomainError)).toEqual([true, true, false, false]);
  });
});
