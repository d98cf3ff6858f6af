/**
 * One spelling of an e-mail address, for looking up and counting: trimmed, lower case. The local part is case-sensitive
 * by RFC 5321 section 2.4 and at no provider in practice; two accounts that differ in case only would be a trap.
 */
export function normaliseEmail(email: string): string {
  return email.trim().toLowerCase();
}
