import type { ArchiveFolder } from './archive-lines.ts';
import type { CheckPool } from './audit-check-pool.ts';
import { coldStorage, countCold, type IsGenuine } from './cold-storage.ts';
import type { Database } from './orm.ts';

/** What a verification knows of cold storage while it runs. */
export async function watchColdStorage(
  db: Database,
  isGenuine: IsGenuine,
  folders: readonly ArchiveFolder[],
): Promise<{
  around(pool: CheckPool): CheckPool;
  /** How many entries of a range are in cold storage. */
  count(range: { from: number; to: number }): Promise<number>;
}> {
  let newest = await coldStorage(db.fork(), isGenuine);
  return {
    /**
     * A month may be taken out while the verification runs: where an entry is gone, it looks again at what was taken out, and
     * the range is checked once more when there is news.
     */
    around: (pool) => ({
      ...pool,
      async check(task) {
        for (;;) {
          const known = newest;
          const result = await pool.check({ ...task, cold: { months: known.months, folders } });
          if (result.fault?.symptom !== 'entry_missing') return result;
          newest = await coldStorage(db.fork(), isGenuine);
          if (newest.number <= known.number) return result;
        }
      },
    }),
    count: (range) => countCold(db.fork(), newest.months, range),
  };
}
