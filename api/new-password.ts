import { DomainError } from '../domain/errors.ts';
import { checkNewPassword, type PasswordRefusal } from '../security/password-policy.ts';
import type { ApiDeps } from './deps.ts';

const WHY: Readonly<Record<PasswordRefusal, string>> = {
  too_short: 'must have at least 12 characters',
  too_long: 'must have at most 128 characters',
  not_well_formed: 'must be well-formed Unicode without U+0000',
  too_common: 'is known from breaches, or hardly more than such a password',
  contains_personal_data: 'is hardly more than your name or address',
};

/**
 * Holds a new password against the policy.
 *
 * @param pointer where the password stands in the body
 * @throws DomainError `validation_failed` for its form, `password_breached` for what it is
 */
export function requireGoodPassword(
  { isCommonPassword }: Pick<ApiDeps, 'isCommonPassword'>,
  password: string,
  personal: readonly string[],
  pointer: '/password' | '/newPassword',
): void {
  const refusal = checkNewPassword(password, personal, { isCommonPassword });
  if (refusal === null) return;
  const errors = [{ in: 'body', pointer, detail: WHY[refusal] }];
  const weak = refusal === 'too_common' || refusal === 'contains_personal_data';
  throw new DomainError(weak ? 'password_breached' : 'validation_failed', `The password ${WHY[refusal]}.`, { errors });
}
