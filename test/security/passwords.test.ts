import { describe, expect, it } from 'vitest';
import { createPasswordHasher, PasswordHasherBusyError } from '../../security/passwords.ts';

describe('password hashing', () => {
  const hasher = createPasswordHasher();

  it('is argon2id with the OWASP parameters and a salt of its own', async () => {
    const [one, two] = await Promise.all([hasher.hash('correct horse battery'), hasher.hash('correct horse battery')]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one).not.toBe(two);
    expect(await hasher.verify(one, 'correct horse battery')).toEqual({ ok: true, needsRehash: false });
    expect(await hasher.verify(one, 'correct horse batterz')).toEqual({ ok: false, needsRehash: false });
  });

  it('asks for a new hash when a right password was stored with weaker parameters', async () => {
    // 'password' and 'somesalt' with m=65536 KiB, t=2, p=1, argon2i: a vector of the reference implementation.
    const old = '$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA';
    expect(await hasher.verify(old, 'password')).toEqual({ ok: true, needsRehash: true });
    expect(await hasher.verify(old, 'passwort')).toEqual({ ok: false, needsRehash: false });
  });

  it('takes a password typed with composed or decomposed letters for the same', async () => {
    const stored = await hasher.hash('Müllerstraße-12');
    expect((await hasher.verify(stored, 'Mu\u0308llerstraße-12')).ok).toBe(true);
  });

  it('costs an unknown user the same time as a known one', async () => {
    const stored = await hasher.hash('correct horse battery');
    const timeOf = async (work: () => Promise<unknown>) => {
      const start = performance.now();
      await work();
      return performance.now() - start;
    };
    let [known, unknown] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    // In turns, so that both meet what else the machine does.
    for (let n = 0; n < 15; n++) {
      known = Math.min(known, await timeOf(() => hasher.verify(stored, 'wrong password')));
      unknown = Math.min(unknown, await timeOf(() => hasher.verifyUnknownUser('wrong password')));
    }
    expect(await hasher.verifyUnknownUser('')).toBe(false);
    // The fastest on either side; a missing hash would be a hundred times faster.
    expect(unknown / known).toBeGreaterThan(0.4);
    expect(unknown / known).toBeLessThan(2.5);
  });

  it('lets no more hashes wait than its queue holds, and works on after refusing', async () => {
    const small = createPasswordHasher({ concurrency: 1, maxQueue: 2 });
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => small.verifyUnknownUser('x')));
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ]);
    expect(results[3]).toMatchObject({ reason: expect.any(PasswordHasherBusyError) });
    expect(await small.verifyUnknownUser('x')).toBe(false);
  });

  it('gives its turn back when a hash fails', async () => {
    const small = createPasswordHasher({ concurrency: 1, maxQueue: 0 });
    await expect(small.verify('not a PHC string', 'x')).rejects.toThrow();
    expect(await small.verifyUnknownUser('x')).toBe(false);
  });
});
