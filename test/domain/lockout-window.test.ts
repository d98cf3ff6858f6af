import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isLocked,
  type LockoutState,
  DEFAULT_LOCKOUT as RULES,
  recordFailure,
  recordSuccess,
  reserveAttempt,
  unlock,
  unlockedState,
} from '../../domain/lockout.ts';

const MINUTE = 60_000_000;
const START = 1_000 * MINUTE;

function guess(state: LockoutState, id: string, at: number, network = 'a') {
  const reserved = reserveAttempt(state, { attemptId: id, network, at });
  if (reserved.outcome !== 'reserved') return reserved;
  return recordFailure(reserved.state, { attemptId: id, at });
}

function guesses(count: number, from: number, step: number, state = unlockedState()) {
  const outcomes: string[] = [];
  let current = state;
  for (let i = 0; i < count; i += 1) {
    const result = guess(current, `${from}-${i}`, from + i * step);
    outcomes.push(result.outcome);
    current = result.state;
  }
  return { state: current, outcomes };
}

describe('lockout', () => {
  it('locks with the fifth failure within 15 minutes, and with no earlier one', () => {
    const { state, outcomes } = guesses(6, START, MINUTE);
    expect(outcomes).toEqual(['failed', 'failed', 'failed', 'failed', 'locked_now', 'locked']);
    expect(state.lockedUntil).toBe(START + 4 * MINUTE + RULES.duration);
  });

  it('lets a failure leave the window after exactly 15 minutes', () => {
    const { state } = guesses(4, START, 0);
    expect(guess(state, 'in', START + RULES.window - 1).outcome).toBe('locked_now');
    expect(guess(state, 'out', START + RULES.window).outcome).toBe('failed');
  });

  it('is not extended by attempts while locked, and starts at zero after its end', () => {
    const { state } = guesses(5, START, 0);
    const until = START + RULES.duration;
    const late = guess(state, 'late', until - 1);
    expect(late).toMatchObject({ outcome: 'locked', state: { lockedUntil: until } });
    expect(isLocked(late.state, until)).toBe(false);
    const { outcomes } = guesses(5, until, 1, late.state);
    expect(outcomes).toEqual(['failed', 'failed', 'failed', 'failed', 'locked_now']);
  });

  it('starts at zero after an unlock, and locks a second time', () => {
    expect(isLocked(guesses(5, START, 0).state, START + 1)).toBe(true);
    expect(guesses(5, START + 1, 1, unlock()).outcomes.at(-1)).toBe('locked_now');
  });

  it('refuses a right password while locked', () => {
    const reserved = reserveAttempt(unlockedState(), { attemptId: 'slow', network: 'b', at: START }).state;
    const { state, outcomes } = guesses(4, START, 0, reserved);
    expect(outcomes).not.toContain('locked_now');
    const locked = recordFailure(
      reserveAttempt(recordSuccess(state, { attemptId: 'x', network: 'z', at: START }).state, {
        attemptId: 'y',
        network: 'a',
        at: START,
      }).state,
      { attemptId: 'slow', at: START },
    );
    expect(locked.outcome).toBe('locked_now');
    expect(recordSuccess(locked.state, { attemptId: 'y', network: 'a', at: START + 1 }).outcome).toBe('locked');
  });

  it('clears only the failures of the network a success came from', () => {
    let state = guess(guess(unlockedState(), '1', START, 'guesser').state, '2', START, 'guesser').state;
    state = guess(guess(state, '3', START, 'owner').state, '4', START, 'owner').state;
    state = reserveAttempt(state, { attemptId: '5', network: 'owner', at: START }).state;
    const passed = recordSuccess(state, { attemptId: '5', network: 'owner', at: START });
    expect(passed.outcome).toBe('passed');
    expect(passed.state.attempts.map(({ attemptId }) => attemptId)).toEqual(['1', '2']);
  });

  it('lets at most five parallel guesses be hashed and locks exactly once', () => {
    let state = unlockedState();
    const reserved: string[] = [];
    for (let i = 0; i < 20; i += 1) {
      const result = reserveAttempt(state, { attemptId: `${i}`, network: 'a', at: START });
      state = result.state;
      if (result.outcome === 'reserved') reserved.push(`${i}`);
      else expect(result.outcome).toBe('saturated');
    }
    expect(reserved).toHaveLength(5);
    const outcomes = reserved.map((attemptId) => {
      const result = recordFailure(state, { attemptId, at: START + 1 });
      state = result.state;
      return result.outcome;
    });
    expect(outcomes).toEqual(['failed', 'failed', 'failed', 'failed', 'locked_now']);
  });

  it('never has more failures and pending attempts than the limit, in any interleaving', () => {
    const step = fc.record({
      kind: fc.constantFrom('reserve', 'fail', 'pass'),
      id: fc.integer({ min: 0, max: 9 }),
      network: fc.constantFrom('a', 'b'),
      wait: fc.constantFrom(0, 1, MINUTE, 10 * MINUTE),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let state = unlockedState();
        let at = START;
        let failures: number[] = [];
        for (const { kind, id, network, wait } of steps) {
          at += wait;
          const attemptId = `${id}`;
          const pending = state.attempts.some((a) => a.attemptId === attemptId && a.state === 'pending');
          if (kind === 'reserve') {
            if (!state.attempts.some((a) => a.attemptId === attemptId)) {
              state = reserveAttempt(state, { attemptId, network, at }).state;
            }
          } else if (pending && kind === 'fail') {
            const result = recordFailure(state, { attemptId, at });
            if (result.outcome === 'failed') failures.push(at);
            if (result.outcome === 'locked_now') {
              // Only ever with five failures inside one window.
              expect(failures.filter((t) => t > at - RULES.window).length).toBeGreaterThanOrEqual(RULES.limit - 1);
              failures = [];
            }
            state = result.state;
          } else if (pending) {
            state = recordSuccess(state, { attemptId, network, at }).state;
          }
          expect(state.attempts.length).toBeLessThanOrEqual(RULES.limit);
        }
      }),
    );
  });
});
