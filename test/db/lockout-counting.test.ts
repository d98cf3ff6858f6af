import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CountingRules, clearOwnFailures, reserveAttempt, settleAttempt } from '../../db/login-subject.ts';
import { run } from '../../db/sql.ts';
import {
  DEFAULT_LOCKOUT,
  type LockoutState,
  recordFailure,
  recordSuccess,
  reserveAttempt as reserveInModel,
  unlock,
  unlockedState,
} from '../../domain/lockout.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';

const RULES: CountingRules = { threshold: 5, windowMs: 900_000, durationMs: 900_000 };
const PENDING_MS = 10_000;
const SECOND = 1_000_000;

type Step = { kind: 'try'; ok: boolean; network: string } | { kind: 'wait'; seconds: number } | { kind: 'unlock' };

/** A small generator with a seed (Lehmer), so that a failure can be run again. */
function randomSteps(seed: number, count: number): Step[] {
  let state = seed;
  const next = (below: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  return Array.from({ length: count }, (): Step => {
    const dice = next(20);
    if (dice < 2) return { kind: 'wait', seconds: [60, 400, 901][next(3)] ?? 60 };
    if (dice < 3) return { kind: 'unlock' };
    return { kind: 'try', ok: next(5) === 0, network: ['a', 'b'][next(2)] ?? 'a' };
  });
}

describe('the counting statements', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.close());

  async function runSteps(steps: readonly Step[]): Promise<string[]> {
    const { db } = database;
    const subject = randomBytes(32);
    const outcomes: string[] = [];
    for (const step of steps) {
      if (step.kind === 'wait') {
        await shift(subject, step.seconds);
      } else if (step.kind === 'unlock') {
        await run(
          db.fork(),
          'update login_subject set locked_until = null, counting_since = clock_timestamp() where subject = $1',
          [subject],
        );
      } else {
        outcomes.push(await attempt(subject, step));
      }
    }
    return outcomes;
  }

  /** Lets time pass by putting everything back. */
  async function shift(subject: Buffer, seconds: number): Promise<void> {
    const back = `interval '1 second' * $2`;
    const { db } = database;
    await run(
      db.fork(),
      `update login set started_at = started_at - ${back}, settled_at = settled_at - ${back} where subject = $1`,
      [subject, seconds],
    );
    await run(
      db.fork(),
      `update login_subject set locked_until = locked_until - ${back}, counting_since = counting_since - ${back}
        where subject = $1`,
      [subject, seconds],
    );
  }

  async function attempt(subject: Buffer, { ok, network }: Extract<Step, { kind: 'try' }>): Promise<string> {
    const { db } = database;
    const loginId = uuidV7();
    const facts = {
      ...{ loginId, attemptId: uuidV7(), subject, userId: null, channel: 'bearer' as const, device: {}, network },
      ...{ deviceSignature: Buffer.alloc(1), deviceCookieHashes: [], ip: null, userAgent: null, place: {} },
      ...{ requestId: 'test', sessionHash: Buffer.alloc(1), newDeviceCookieHash: Buffer.alloc(1) },
    };
    const reserved = await reserveAttempt(db.fork(), facts, RULES, PENDING_MS);
    if (reserved.outcome !== 'reserved') return reserved.outcome;
    return db.transaction(async (tx) => {
      const settled = await settleAttempt(tx, { loginId, passwordOk: ok, lockoutId: uuidV7() }, RULES);
      await run(tx, `update login set status = 'expired' where id = $1`, [loginId]);
      if (settled.outcome === 'passed') await clearOwnFailures(tx, loginId, RULES);
      if (settled.outcome !== 'locked') return settled.outcome;
      return settled.started ? 'locked_now' : 'locked';
    });
  }

  function runModel(steps: readonly Step[]): string[] {
    let state: LockoutState = unlockedState();
    let at = 10_000 * SECOND;
    return steps.flatMap((step, index) => {
      at += 1;
      if (step.kind === 'wait') at += step.seconds * SECOND;
      if (step.kind === 'unlock') state = unlock();
      if (step.kind !== 'try') return [];
      const tried = { attemptId: String(index), network: step.network, at };
      const reserved = reserveInModel(state, tried, DEFAULT_LOCKOUT);
      state = reserved.state;
      if (reserved.outcome !== 'reserved') return [reserved.outcome];
      const settled = step.ok ? recordSuccess(state, tried) : recordFailure(state, tried);
      state = settled.state;
      return [settled.outcome];
    });
  }

  it('do, one attempt after the other, what the model in the domain says', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 25; seed += 1) {
      const steps = randomSteps(seed * 7_919, 30);
      const expected = runModel(steps);
      expect(await runSteps(steps), `seed ${seed}`).toEqual(expected);
      for (const outcome of expected) seen.add(outcome);
    }
    expect([...seen].sort()).toEqual(['failed', 'locked', 'locked_now', 'passed']);
  });
});
