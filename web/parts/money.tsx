/** Digits in groups of three. Amounts are decimal strings and stay strings: no rounding of floating point on the way. */
export function moneyText(amount: string | null | undefined, currency = ''): string {
  if (amount === null || amount === undefined) return '–';
  const [whole = '', fraction] = amount.split('.');
  const grouped = whole.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ' ');
  return `${grouped}${fraction === undefined ? '' : `.${fraction}`}${currency === '' ? '' : ` ${currency}`}`;
}

export function Money({ amount, currency }: { amount: string | null | undefined; currency?: string }) {
  return <span className="number money">{moneyText(amount, currency)}</span>;
}
