import { beforeAll, describe, expect, it } from 'vitest';
import { loadCommonPasswords } from '../../security/common-passwords.ts';
import { checkNewPassword } from '../../security/password-policy.ts';

describe('the rules for a new password', () => {
  let isCommonPassword: (password: string) => boolean;
  const check = (password: string, personal: string[] = []) =>
    checkNewPassword(password, personal, { isCommonPassword });

  beforeAll(() => {
    isCommonPassword = loadCommonPasswords();
  });

  it('counts 12 to 128 code points', () => {
    expect(check('xk7-tulip-9')).toBe('too_short');
    expect(check('xk7-tulip-9v')).toBeNull();
    expect(check('🦊🐙🌵🎻🧊🍋')).toBe('too_short');
    expect(check('🦊🐙🌵🎻🧊🍋🚲🪁🥁🦔🧭🛶')).toBeNull();
    expect(check('🦊🐙🌵🎻'.repeat(32).replace('🦊', 'a'))).toBeNull();
    expect(check(`${'🦊🐙🌵🎻'.repeat(32)}b`)).toBe('too_long');
    expect(check('a'.repeat(1_000_000))).toBe('too_long');
  });

  it.each([
    'qwerty123456',
    '1qaz2wsx3edc',
    'QWERTYuiop123456',
    'Password1234!',
    '!!Passw0rd2024',
    'P@ssw0rd12345',
    'aaaaaaaaaaaa',
    'abcabcabcabc',
    'passwordpassword',
    '1q2w3e4r5t!!!',
    'B4sk3tball!!!',
    'qwe123asd!!!',
    'Tradeguard2026!',
    '112233445566',
  ])('refuses the common password %s', (password) => {
    expect(check(password)).toBe('too_common');
  });

  it.each([
    'correct horse battery staple',
    'vNq7-Lm2x-Tz9p',
    'meine Katze frisst montags',
    '7391-5528-0461-2237',
    'dragon 7391-5528-0461',
  ])('accepts %s', (password) => {
    expect(check(password)).toBeNull();
  });

  it("refuses the owner's e-mail or name with little around it", () => {
    const personal = ['annabella.smith@example.com', 'Annabella Smith'];
    expect(check('Annabella.Smith1', personal)).toBe('contains_personal_data');
    expect(check('annabella smith!', personal)).toBe('contains_personal_data');
    expect(check('annabella.smith@example.com', personal)).toBe('contains_personal_data');
    expect(check('nine green umbrellas', personal)).toBeNull();
  });

  it('refuses lone surrogates and U+0000, which no database stores', () => {
    expect(check('\ud800 tulip umbrella')).toBe('not_well_formed');
    expect(check('tulip\u0000 umbrella')).toBe('not_well_formed');
  });
});
