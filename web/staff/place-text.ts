export interface Place {
  readonly latitude: number;
  readonly longitude: number;
  readonly country: string | null;
  readonly region: string | null;
  /** What kind of network it is, where the place says little. */
  readonly flags?: readonly string[];
}

const countries = new Intl.DisplayNames(undefined, { type: 'region', fallback: 'code' });

/** A country's name in the viewer's language. */
export const countryName = (code: string): string => countries.of(code) ?? code;

/** `Germany, DE-BE (vpn)`; `unknown` where nobody knows. */
export function placeText(place: Place | null): string {
  if (place === null) return 'unknown';
  const where = [
    place.country === null ? coordinatesText(place) : countryName(place.country),
    ...(place.region === null ? [] : [place.region]),
  ].join(', ');
  const { flags = [] } = place;
  return flags.length === 0 ? where : `${where} (${flags.join(', ')})`;
}

/** `52.5° N, 13.4° E` */
export function coordinatesText({ latitude, longitude }: Pick<Place, 'latitude' | 'longitude'>): string {
  const degrees = (value: number, positive: string, negative: string): string =>
    `${Math.abs(value).toFixed(1)}° ${value < 0 ? negative : positive}`;
  return `${degrees(latitude, 'N', 'S')}, ${degrees(longitude, 'E', 'W')}`;
}
