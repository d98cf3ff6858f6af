/**
 * Numbers that identify a person or a company, brought to one spelling. Each function gives `undefined` for text that
 * cannot be such a number: what was never issued is refused before it is encrypted.
 */

/**
 * A US Social Security number as nine digits. Never issued: areas 000, 666 and 900 to 999, group 00, serial 0000
 * (https://www.ssa.gov/employer/randomization.html).
 */
export function parseSsn(text: string): string | undefined {
  const digits = nineDigits(text, /^\d{3}-?\d{2}-?\d{4}$/);
  if (digits === undefined) return undefined;
  const [area, group, serial] = [digits.slice(0, 3), digits.slice(3, 5), digits.slice(5)];
  const isIssued = area !== '000' && area !== '666' && area < '900' && group !== '00' && serial !== '0000';
  return isIssued ? digits : undefined;
}

/**
 * An Individual Taxpayer Identification Number as nine digits: 9 first, fourth and fifth digit 50 to 65, 70 to 88, 90 to
 * 92 or 94 to 99 (IRS Internal Revenue Manual 3.21.263).
 */
export function parseItin(text: string): string | undefined {
  const digits = nineDigits(text, /^\d{3}-?\d{2}-?\d{4}$/);
  if (digits === undefined || !digits.startsWith('9')) return undefined;
  const group = Number(digits.slice(3, 5));
  const isIssued = [
    [50, 65],
    [70, 88],
    [90, 92],
    [94, 99],
  ].some(([from = 0, to = 0]) => group >= from && group <= to);
  return isIssued ? digits : undefined;
}

/** Prefixes of campuses that the IRS never gave out. */
const UNUSED_EIN_PREFIXES = new Set('00 07 08 09 17 18 19 28 29 49 69 70 78 79 89 96 97'.split(' '));

/** An Employer Identification Number as `12-3456789`, which tells it from the nine digits of an ITIN. */
export function parseEin(text: string): string | undefined {
  const digits = nineDigits(text, /^\d{2}-?\d{7}$/);
  if (digits === undefined || UNUSED_EIN_PREFIXES.has(digits.slice(0, 2))) return undefined;
  return `${digits.slice(0, 2)}-${digits.slice(2)}`;
}

/** An account at an outside bank: 5 to 17 digits (US), or an IBAN (ISO 13616) whose check digits are right. */
export function parseBankAccount(text: string): string | undefined {
  const account = text.replaceAll(/[\s-]/g, '').toUpperCase();
  if (/^\d{5,17}$/.test(account)) return account;
  return /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(account) && ibanRemainder(account) === 1 ? account : undefined;
}

/** A telephone number in E.164: a plus sign and 8 to 15 digits. */
export function parsePhone(text: string): string | undefined {
  const number = text.replaceAll(/[\s().-]/g, '');
  return /^\+[1-9]\d{7,14}$/.test(number) ? number : undefined;
}

function nineDigits(text: string, form: RegExp): string | undefined {
  const trimmed = text.trim();
  return form.test(trimmed) ? trimmed.replaceAll('-', '') : undefined;
}

/** ISO 7064 MOD 97-10 over the rearranged IBAN, letters as 10 to 35. */
function ibanRemainder(iban: string): number {
  const rearranged = iban.slice(4) + iban.slice(0, 4);
  const digits = [...rearranged].map((character) => String(Number.parseInt(character, 36))).join('');
  return [...digits].reduce((remainder, digit) => (remainder * 10 + Number(digit)) % 97, 0);
}
