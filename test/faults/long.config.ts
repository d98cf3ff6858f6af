import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const FLEET = 'test/faults/two-of-each.long.ts';

/** The long forms of the fault tests, one after the other: `npm run test:faults`. */
export default defineConfig({
  root: join(import.meta.dirname, '../..'),
  test: {
    maxWorkers: 1,
    fileParallelism: false,
    // Progress is shown when it is made.
    disableConsoleIntercept: true,
    // Bounded by what a test waits for itself; this is for what hangs.
    testTimeout: 3 * 3_600_000,
    hookTimeout: 600_000,
    projects: [
      {
        extends: true,
        test: { name: 'long', include: ['test/faults/*.long.ts'], exclude: [FLEET] },
      },
      {
        extends: true,
        test: { name: 'long-fleet', include: [FLEET], globalSetup: 'test/helpers/global-setup.ts' },
      },
    ],
  },
});
