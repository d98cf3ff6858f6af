// Prints the last line of a check from Vitest's JSON report. A file that could not be loaded counts as one failed test.
import { readFileSync } from 'node:fs';

let report = {};
try {
  report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
} catch {
  console.log('The tests left no report.');
}
const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0, testResults = [] } = report;
const broken = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
console.log(`${numPassedTests} passed, ${numFailedTests + broken} failed, ${numPendingTests + numTodoTests} skipped`);
