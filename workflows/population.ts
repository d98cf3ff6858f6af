import type { PopulationReport } from '../activities/population.ts';
import { background } from './options.ts';

/**
 * Run every hour by a schedule: what is usual over all accounts, as rules ask it. It is made once a UTC day, by the first
 * run of the day that can; the others find it there.
 */
export function population(): Promise<PopulationReport> {
  return background.renewPopulation();
}
