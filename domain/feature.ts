/**
 * `on`: it works. `off`: nobody switched it on. `unavailable`: it is switched on, and something that it needs is missing
 * or does not answer.
 */
export const FEATURE_STATES = ['on', 'off', 'unavailable'] as const;
export type FeatureState = (typeof FEATURE_STATES)[number];

/** What an installation can do without, and whether this one has it. */
export interface Feature {
  readonly name: string;
  readonly state: FeatureState;
  /** What is missing and what to set; null where the feature is on. Health is public: no path, no version, no address. */
  readonly why: string | null;
}

/** What workers do, so that only they can tell whether it works. */
export const WORKER_FEATURES = ['backups', 'restore_drills', 'backup_copies', 'mail'] as const;
export type WorkerFeature = (typeof WORKER_FEATURES)[number];

/** What all workers together can do, given what each of them found: the worst counts, with how many are concerned. */
export function workerFeatures(reports: readonly Feature[]): Feature[] {
  return WORKER_FEATURES.map((name) => {
    const told = reports.filter((report) => report.name === name);
    const [first] = told;
    if (first === undefined) return { name, state: 'unavailable', why: 'no worker has told of it yet' };
    const worst = told.reduce((a, b) => (rank(b) > rank(a) ? b : a), first);
    const alike = told.filter(({ state }) => state === worst.state).length;
    const where = alike === told.length ? '' : `on ${alike} of ${told.length} workers: `;
    return { name, state: worst.state, why: worst.why === null ? null : where + worst.why };
  });
}

/** A worker that cannot is worse than one that was not asked to: whichever takes the work decides what becomes of it. */
const rank = ({ state }: Feature): number => FEATURE_STATES.indexOf(state);
