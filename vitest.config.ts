import { defineConfig } from 'vitest/config';

/** Tests of pure code need no servers; those that start servers of their own must not meet shared ones. */
const PURE = [
  'test/domain/**/*.test.ts',
  'test/security/**/*.test.ts',
  'test/spec/**/*.test.ts',
  'test/verifier/**/*.test.ts',
  'test/*.test.ts',
];
const OWN_SERVERS = [
  'test/platform/**/*.test.ts',
  'test/cli/**/*.test.ts',
  'test/faults/**/*.test.ts',
  'test/docs/**/*.test.ts',
];

/** Documents whose every block runs, and procedures that wait for what they describe. */
const DRILLS = ['test/docs/*.drill.test.ts'];

export default defineConfig({
  test: {
    // One more than cores: most files wait for timers and servers for a good part of their time.
    maxWorkers: 3,
    // How long something takes is measured by the bench: these end what hangs, on a busy machine as well.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // What is waited for comes at once; on a busy machine it does not come within Vitest's own second.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      { extends: true, test: { name: 'pure', include: PURE } },
      {
        extends: true,
        test: {
          name: 'own-servers',
          include: OWN_SERVERS,
          exclude: DRILLS,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        extends: true,
        // npm run test:drills, and the rows of docs/spec.md.
        test: { name: 'drills', include: DRILLS, testTimeout: 300_000, hookTimeout: 180_000 },
      },
      {
        extends: true,
        test: {
          name: 'servers',
          include: ['test/**/*.test.ts'],
          exclude: [...PURE, ...OWN_SERVERS, ...DRILLS],
          globalSetup: 'test/helpers/global-setup.ts',
          setupFiles: 'test/helpers/checked-fetch.ts',
        },
      },
    ],
  },
});
