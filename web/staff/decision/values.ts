type Value = number | string | boolean | null;

const round = (value: number, digits: number): string => String(Number(value.toFixed(digits)));

/** A value of a rule or a feature as people read it. Money is in units of the base currency. */
export function valueText(value: unknown, unit: string | null, currency: string): string {
  if (value === null || value === undefined || value === '') return '–';
  if (typeof value !== 'number') return typeof value === 'object' ? JSON.stringify(value) : String(value as Value);
  switch (unit) {
    case 'money':
      return `${value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 })} ${currency}`;
    case 'share':
      return `${round(value * 100, 2)} %`;
    case 'days':
      return `${round(value, 1)} days`;
    case 'hours':
      return `${round(value, 1)} h`;
    case 'ratio':
      return `${round(value, 2)} ×`;
    default:
      return round(value, 2);
  }
}

const NOTES: Readonly<Record<string, string>> = {
  no_history: 'nothing to compare with yet',
  few_prior: 'less history than the rule asks for',
  no_baseline: 'everything is new',
  geo_unknown: 'the place could not be told',
  masked_network: 'the network hides the place',
  counted_once: 'its weight is in another rule already',
  allow_listed: 'silenced by an allow list',
  error: 'the rule failed',
};

/** Why a rule counted less than it might have, or nothing. */
export const noteText = (note: string): string => NOTES[note] ?? note.replaceAll('_', ' ');

/** Hundredths of a score, signed. */
export const pointsText = (points: number): string => `${points < 0 ? '−' : '+'}${(Math.abs(points) / 100).toFixed(2)}`;
