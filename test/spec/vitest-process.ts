import { createVitest } from 'vitest/node';

/** What row-tests.ts asks for, as JSON in the first argument. */
export interface VitestOrder {
  root: string;
  /** Paths from `root`. */
  files: readonly string[];
  /** Regular expression that the full name of a test has to match. */
  testNamePattern: string;
  /** File that gets the JSON report. */
  report: string;
  /** Ends at the first failure. */
  bail: boolean;
}

/**
 * Runs tests in a process of their own. When the parent sends a message or is gone, the tests under way end, hooks and
 * the set-up of the run are undone, and nothing stays behind; a signal would leave the servers of the run to themselves.
 */
async function main({ root, files, testNamePattern, report, bail }: VitestOrder): Promise<void> {
  let isCancelled = false;
  const cancel = () => {
    isCancelled = true;
  };
  process.once('message', cancel);
  process.once('disconnect', cancel);
  const vitest = await createVitest({
    ...{ root, watch: false, testNamePattern, bail: bail ? 1 : 0 },
    reporters: ['default', ['json', { outputFile: report }]],
  });
  // Asked again and again: a run that has not come to its first test yet forgets that it was cancelled.
  const asking = setInterval(() => {
    if (isCancelled) void vitest.cancelCurrentRun('keyboard-input');
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
