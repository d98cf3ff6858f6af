import { createVitest, type Reporter } from 'vitest/node';

/** What is asked for, as JSON in the first argument. */
export interface VitestOrder {
  root: string;
  /** Another configuration than that of `root`. */
  config?: string;
  /** Paths from `root`. */
  files: readonly string[];
  /** Regular expression that the full name of a test has to match. */
  testNamePattern?: string;
  /** File that gets the JSON report. Without one every test is told of when it ends. */
  report?: string;
  /** Ends at the first failure. */
  bail: boolean;
}

/**
 * Runs tests in a process of their own. When the parent sends a message or is gone, the tests under way end, hooks and
 * the set-up of the run are undone, and nothing stays behind; a signal would leave the servers of the run to themselves.
 */
async function main({ root, config, files, testNamePattern, report, bail }: VitestOrder): Promise<void> {
  let isCancelled = false;
  let hasBegun = false;
  const watcher: Reporter = {
    onTestModuleStart() {
      hasBegun = true;
    },
  };
  const cancel = () => {
    isCancelled = true;
  };
  process.once('message', cancel);
  process.once('disconnect', cancel);
  const vitest = await createVitest({
    ...{ root, watch: false, bail: bail ? 1 : 0 },
    ...(config === undefined ? {} : { config }),
    ...(testNamePattern === undefined ? {} : { testNamePattern }),
    reporters: report === undefined ? ['verbose', watcher] : ['default', ['json', { outputFile: report }], watcher],
  });
  // Asked again until tests run: before that, a run forgets that it was cancelled. Once they do, a second time would end
  // them at once, and what they have started would stay behind.
  let isHeard = false;
  const asking = setInterval(() => {
    if (!isCancelled || isHeard) return;
    isHeard = hasBegun;
    void vitest.cancelCurrentRun('keyboard-input');
  }, 200);
  try {
    if (!isCancelled) await vitest.start([...files]);
  } finally {
    clearInterval(asking);
    await vitest.close();
  }
}

main(JSON.parse(process.argv[2] ?? '{}')).then(
  // Whatever a test left open must not hold up the next run.
  () => process.exit(),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);
