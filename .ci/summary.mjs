// Prints what failed once more, and then the last line of a check, from Vitest's JSON reports: the end of a log is what
// is kept of it. A file that could not be loaded counts as one failed test.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const file of process.argv.slice(2)) {
  let report = {};
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    console.log('A run of tests left no report.');
  }
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0, testResults = [] } = report;
  const unloaded = testResults.filter((one) => one.status === 'failed' && one.assertionResults.length === 0);
  for (const one of unloaded) {
    console.log(`FAILED ${relative(process.cwd(), one.name)}\n${one.message}`);
  }
  for (const one of testResults) {
    for (const test of one.assertionResults.filter(({ status }) => status === 'failed')) {
      console.log(`FAILED ${relative(process.cwd(), one.name)} > ${test.fullName}\n${test.failureMessages.join('\n')}`);
    }
  }
  sum.passed += numPassedTests;
  sum.failed += numFailedTests + unloaded.length;
  sum.skipped += numPendingTests + numTodoTests;
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
