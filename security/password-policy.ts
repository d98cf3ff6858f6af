import { normalizePassword } from './passwords.ts';

/** Lengths in code points. */
export const MIN_PASSWORD_LENGTH = 12;
export const MAX_PASSWORD_LENGTH = 128;

/** Everybody's first guess for a password on this platform. */
const PRODUCT_NAME = 'tradeguard';

export type PasswordRefusal = 'too_short' | 'too_long' | 'not_well_formed' | 'too_common' | 'contains_personal_data';

export type PasswordPolicyDeps = {
  /** Whether the password is, or is hardly more than, one of the breached passwords. */
  isCommonPassword: (password: string) => boolean;
};

/**
 * The rules for a new password (NIST SP 800-63B section 5.1.1.2: length and a block list, no composition rules).
 *
 * @param personal words the owner is known by: e-mail address, name
 * @returns why it is refused, or null
 */
export function checkNewPassword(
  password: string,
  personal: readonly string[],
  { isCommonPassword }: PasswordPolicyDeps,
): PasswordRefusal | null {
  if (!password.isWellFormed() || password.includes('\u0000')) return 'not_well_formed';
  const normalized = normalizePassword(password);
  // Code points, not UTF-16 units: an emoji counts once. The cheap bound comes first, so a megabyte is not spread out.
  if (normalized.length > 2 * MAX_PASSWORD_LENGTH) return 'too_long';
  const length = [...normalized].length;
  if (length < MIN_PASSWORD_LENGTH) return 'too_short';
  if (length > MAX_PASSWORD_LENGTH) return 'too_long';
  if (
    isMostly(
      normalized,
      personal.flatMap((word) => [word, word.split('@')[0] ?? '']),
    )
  )
    return 'contains_personal_data';
  if (isCommonPassword(normalized) || isMostly(normalized, [PRODUCT_NAME])) return 'too_common';
  return null;
}

/** Whether little is left of the password once one of the words is taken away. */
function isMostly(password: string, words: readonly string[]): boolean {
  const folded = password.toLowerCase();
  return words
    .map((word) => normalizePassword(word).toLowerCase().trim())
    .some((word) => word.length >= 4 && folded.includes(word) && folded.length - word.length < 8);
}
