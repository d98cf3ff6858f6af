/** Shown in place of a value too short to show a part of it. */
const ALL_HIDDEN = '****';

/** A US Social Security number for its owner: `XXX-XX-1234`; anything that is not nine digits is hidden whole. */
export function maskSsn(ssn: string): string {
  const digits = digitsOf(ssn);
  return digits.length === 9 ? `XXX-XX-${digits.slice(-4)}` : 'XXX-XX-XXXX';
}

/** An account number: `****6789`. Under eight characters the last four would be half of it, so all is hidden. */
export function maskAccount(account: string): string {
  const characters = [...account.replaceAll(/[\s-]/g, '')];
  return characters.length >= 8 ? `****${characters.slice(-4).join('')}` : ALL_HIDDEN;
}

/** A tax id: an EIN (`12-3456789`) gives `XX-XXX6789`, an ITIN (nine digits from 9) `XXX-XX-6789`, all else is hidden. */
export function maskTaxId(taxId: string): string {
  const digits = digitsOf(taxId);
  if (digits.length !== 9) return ALL_HIDDEN;
  const isItin = digits.startsWith('9') && !/^\d{2}-\d{7}$/.test(taxId.trim());
  return isItin ? `XXX-XX-${digits.slice(-4)}` : `XX-XXX${digits.slice(-4)}`;
}

function digitsOf(value: string): string {
  return value.replaceAll(/\D/g, '');
}

/** An e-mail address: `p***@example.com`. A local part of one character is hidden whole, and so is what is no address. */
export function maskEmail(address: string): string {
  const at = address.lastIndexOf('@');
  if (at < 1) return ALL_HIDDEN;
  const [first = ''] = address;
  return `${at < 2 ? '' : first}***${address.slice(at)}`;
}

/** A name: the first letter of each word, `T*** P***`. */
export function maskName(name: string): string {
  const words = name.split(/\s+/).filter((word) => word !== '');
  return words.length === 0 ? ALL_HIDDEN : words.map((word) => `${[...word][0]}***`).join(' ');
}
