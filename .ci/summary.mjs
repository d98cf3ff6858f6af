// Prints the last line of a check from Vitest's JSON reports. A file that could not be loaded counts as one failed test.
import { readFileSync } from 'node:fs';

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const file of process.argv.slice(2)) {
  let report = {};
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    console.log('A run of tests left no report.');
  }
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0, testResults = [] } = report;
  const broken = testResults.filter((one) => one.status === 'failed' && one.assertionResults.length === 0).length;
  sum.passed += numPassedTests;
  sum.failed += numFailedTests + broken;
  sum.skipped += numPendingTests + numTodoTests;
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
