import { Secret, URI } from 'otpauth';
import { describe, expect, it } from 'vitest';
import { newTotpEnrolment, totpCodeAt, totpStepAt, verifyTotp } from '../../security/totp.ts';

const secret = Secret.fromLatin1('12345678901234567890').base32;

describe('TOTP', () => {
  // RFC 6238 appendix B, SHA-1, the last six of the eight digits given there.
  it.each([
    [59, '287082'],
    [1111111109, '081804'],
    [1111111111, '050471'],
    [1234567890, '005924'],
    [2000000000, '279037'],
    [20000000000, '353130'],
  ])('gives the code of RFC 6238 at second %i', (seconds, code) => {
    expect(totpCodeAt(secret, totpStepAt(seconds * 1000))).toBe(code);
    expect(verifyTotp({ secret, code, nowMs: seconds * 1000, lastUsedStep: null })).toEqual({
      ok: true,
      step: Math.floor(seconds / 30),
    });
  });

  it('gives the HOTP values of RFC 4226 appendix D below it', () => {
    expect(Array.from({ length: 10 }, (_, counter) => totpCodeAt(secret, counter))).toEqual(
      '755224 287082 359152 969429 338314 254676 287922 162583 399871 520489'.split(' '),
    );
  });

  it('accepts one step of drift either way and no more', () => {
    const nowMs = 1_700_000_015_000;
    const now = totpStepAt(nowMs);
    const accepted = [-2, -1, 0, 1, 2].filter(
      (drift) => verifyTotp({ secret, code: totpCodeAt(secret, now + drift), nowMs, lastUsedStep: null }).ok,
    );
    expect(accepted).toEqual([-1, 0, 1]);
  });

  it('refuses a code a second time, and every code of an earlier step after it', () => {
    const nowMs = 1_700_000_015_000;
    const now = totpStepAt(nowMs);
    const verify = (step: number) => verifyTotp({ secret, code: totpCodeAt(secret, step), nowMs, lastUsedStep: now });
    expect(verify(now)).toEqual({ ok: false, reason: 'reused' });
    expect(verify(now - 1)).toEqual({ ok: false, reason: 'reused' });
    expect(verify(now + 1)).toEqual({ ok: true, step: now + 1 });
  });

  it.each(['', '28708', '2870822', ' 287082', '２８７０８２', 'abcdef'])('refuses the malformed code %j', (code) => {
    expect(verifyTotp({ secret, code, nowMs: 59_000, lastUsedStep: null })).toEqual({ ok: false, reason: 'invalid' });
  });

  it('enrols with a fresh 160-bit secret in a URI that authenticator apps parse to the same codes', () => {
    const one = newTotpEnrolment({ issuer: 'Tradeguard', account: 'a+b@example.com' });
    const two = newTotpEnrolment({ issuer: 'Tradeguard', account: 'a+b@example.com' });
    expect(Secret.fromBase32(one.secret).bytes).toHaveLength(20);
    expect(one.secret).not.toBe(two.secret);
    expect(one.otpauthUri).toMatch(/^otpauth:\/\/totp\/Tradeguard:a%2Bb%40example\.com\?/);
    const parsed = URI.parse(one.otpauthUri);
    expect(parsed).toMatchObject({ issuer: 'Tradeguard', label: 'a+b@example.com', digits: 6, period: 30 });
    expect(parsed.secret.base32).toBe(one.secret);
  });
});
