import { renewPopulation } from '../db/population.ts';
import { finalOnDataErrors } from './data-errors.ts';
import type { ActivityDeps } from './deps.ts';
import { recordedRun } from './schedule-runs.ts';

export interface PopulationReport {
  /** UTC day it is of, days since 1970. */
  day: number;
  /** Payments that this run added. */
  added: number;
}

/** What rules know of all accounts together. */
export function createPopulationActivities({ db, log }: Pick<ActivityDeps, 'db' | 'log'>) {
  return {
    /** Makes the population of the present day, unless it is there. */
    renewPopulation: (): Promise<PopulationReport> =>
      recordedRun({ db, log }, 'population', () => finalOnDataErrors(() => db.transaction(renewPopulation))),
  };
}
