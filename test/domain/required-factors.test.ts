import { describe, expect, it } from 'vitest';
import {
  canSatisfy,
  distinctKinds,
  isFinalLogin,
  isSatisfied,
  LOGIN_STATUSES,
  offeredMethods,
  requiredKinds,
} from '../../domain/login.ts';

describe('required factors', () => {
  it('are none, one, or two different kinds', () => {
    expect((['pass', 'factor', 'two_factors', 'deny'] as const).map(requiredKinds)).toEqual([0, 1, 2, 0]);
  });

  it('do not count an authenticator and its recovery code as two kinds', () => {
    expect(distinctKinds(['totp', 'recovery_code', 'totp'])).toBe(1);
    expect(isSatisfied(['totp', 'recovery_code'], 2)).toBe(false);
    expect(isSatisfied(['totp', 'email_code'], 2)).toBe(true);
  });

  it('cannot be met by somebody who has fewer kinds', () => {
    expect(canSatisfy(['email_code'], 2)).toBe(false);
    expect(canSatisfy(['totp', 'recovery_code'], 2)).toBe(false);
    expect(canSatisfy(['totp', 'email_code'], 2)).toBe(true);
    expect(canSatisfy([], 1)).toBe(false);
  });
});

describe('offered methods', () => {
  it('do not let a mailbox replace an enrolled authenticator', () => {
    const offer = {
      available: ['email_code', 'recovery_code', 'totp'] as const,
      proven: [],
      purpose: 'login',
    } as const;
    expect(offeredMethods(offer)).toEqual(['totp', 'recovery_code']);
    expect(offeredMethods({ ...offer, available: ['email_code'] })).toEqual(['email_code']);
  });

  it('ask for another kind the second time', () => {
    const offer = { available: ['totp', 'recovery_code', 'email_code'], proven: ['totp'], purpose: 'login' } as const;
    expect(offeredMethods(offer)).toEqual(['email_code']);
  });

  it('take security questions for a transaction, never for a login, neither as its only factor nor as its second', () => {
    const available = ['email_code', 'security_questions'] as const;
    expect(offeredMethods({ available, proven: [], purpose: 'login' })).toEqual(['email_code']);
    expect(offeredMethods({ available: ['security_questions'], proven: [], purpose: 'login' })).toEqual([]);
    expect(offeredMethods({ available, proven: [], purpose: 'transaction' })).toEqual([...available]);
    expect(offeredMethods({ available, proven: ['email_code'], purpose: 'login' })).toEqual([]);
  });
});

it('a login is open without a verdict and while it waits for a factor, and final otherwise', () => {
  expect(LOGIN_STATUSES.filter((status) => !isFinalLogin(status))).toEqual([
    'pending',
    'step_up_required',
    'enrolment_required',
  ]);
});
