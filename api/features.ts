import type { Logger } from 'pino';
import { type Feature, type FeatureState, workerFeatures } from '../domain/feature.ts';
import type { Config } from '../platform/config.ts';
import type { GeoipPort, GeoipStatus } from '../platform/geoip.ts';

const GEO_STATE: Readonly<Record<GeoipStatus['status'], FeatureState>> = { up: 'on', down: 'unavailable', off: 'off' };

/**
 * What the API itself can do without, as far as it is configured: the one list that health shows and the log tells at
 * the start. What workers can do they tell themselves (`workers/features.ts`).
 */
export function apiFeatures({ config, geo }: { config: Config; geo: Pick<GeoipPort, 'status'> }): Feature[] {
  const { status, detail } = geo.status();
  const switched = (name: string, isOn: boolean, why: string): Feature =>
    isOn ? { name, state: 'on', why: null } : { name, state: 'off', why };
  return [
    { name: 'geoip', state: GEO_STATE[status], why: status === 'up' ? null : detail },
    switched(
      'deposits',
      config.stripe !== undefined,
      config.production
        ? 'STRIPE_SECRET_KEY is not set: deposits are refused'
        : 'STRIPE_SECRET_KEY is not set: deposits are booked without a payment, as in no production',
    ),
    switched('security_questions', config.securityQuestions !== 'off', 'SECURITY_QUESTIONS is off'),
  ];
}

/** Says once, at the start, what of {@link apiFeatures} is not there. */
export function logMissingFeatures(features: readonly Feature[], log: Logger): void {
  for (const { name, state, why } of features) {
    if (state !== 'on') log.warn({ feature: name, state, why }, 'feature is missing: what needs it is refused');
  }
}

/** Everything, by name. @param reports what workers told; undefined where the database does not answer */
export function allFeatures(own: readonly Feature[], reports: readonly Feature[] | undefined): Feature[] {
  return [...own, ...workerFeatures(reports ?? [])].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
