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

/** A quantity of an instrument, without the zeros behind its last digit: `10`, `0.25`. */
export function quantityText(quantity: string | null | undefined): string {
  return moneyText(quantity?.includes('.') ? quantity.replace(/\.?0+$/, '') : quantity);
}
