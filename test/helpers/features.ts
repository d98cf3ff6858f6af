import { emptyAccount } from '../../domain/risk/account-state.ts';
import {
  type FeatureStates,
  type FeatureTransaction,
  featuresOf,
  NO_ACCESS,
  type TransactionFeatures,
} from '../../domain/risk/features.ts';
import { emptyPopulation, preparePopulation } from '../../domain/risk/population.ts';

/** Before anybody did anything. */
export const NOBODY = preparePopulation(emptyPopulation());
export const NEW_ACCOUNT: FeatureStates = { account: emptyAccount(), counterparty: null, population: NOBODY };

const DAY = 86_400_000_000;

/** A transaction of 1.00 at day 20,000, and what a test says otherwise of it. */
export function featureTx(fields: Partial<FeatureTransaction> = {}): FeatureTransaction {
  return {
    at: 20_000 * DAY,
    type: 'buy',
    amountMinor: 100n,
    exponent: 2,
    account: 'account',
    category: 'other',
    counterparty: null,
    instrument: null,
    ip: null,
    access: NO_ACCESS,
    ...fields,
  };
}

/** The features of a transaction of 100.00 on a calm account, and what a test says otherwise of them. */
export function calmFeatures(fields: Partial<TransactionFeatures> = {}): TransactionFeatures {
  return {
    ...featuresOf(NEW_ACCOUNT, featureTx({ amountMinor: 10_000n })),
    settled_90d: 3,
    settled_sum_90d: 300,
    mean_90d: 100,
    amount_to_mean_90d: 1,
    amount_to_smoothed_mean_90d: 0.2,
    prior_count: 100,
    prior_in_category: 50,
    ...fields,
  };
}
