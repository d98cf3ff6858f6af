import { styleText } from 'node:util';
import { type RowResults, type RowTest, runRowTests } from './row-tests.ts';
import { faultsOf, ROOT, readSpec, type SpecRow, selectRows } from './rows.ts';

/** `npm run spec [-- IDS]`: runs the tests of the customer's rows and prints what each row came to. */
async function main(ids: readonly string[]): Promise<boolean> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error('Interrupted.')));
  const all = readSpec();
  const rows = selectRows(all, ids);
  const faults = faultsOf(all).filter((fault) => ids.length === 0 || ids.includes(fault.split(':')[0] ?? ''));
  const results = await runRowTests(rows, { root: ROOT, verbose: true, signal: stop.signal });
  return report(rows, results, faults);
}

/** Prints the table. @returns whether every row passed */
function report(rows: readonly SpecRow[], { tests, broken }: RowResults, faults: readonly string[]): boolean {
  let passed = 0;
  for (const row of rows) {
    const found = tests.get(row.id) ?? [];
    const verdict = verdictOn(row, found);
    if (verdict === 'pass') passed += 1;
    const seconds = found.reduce((sum, { ms }) => sum + ms, 0) / 1000;
    const mark = styleText(verdict === 'pass' ? 'green' : 'red', verdict.padEnd(4), { stream: process.stdout });
    console.log(`${row.id.padEnd(4)}${mark}  ${row.what}`);
    console.log(`          ${row.evidence.replaceAll(/\s+/g, ' ')}`);
    console.log(`          ${count(found.length, 'test')} in ${seconds.toFixed(1)} s: ${row.heldBy.join(', ')}`);
    for (const test of found) if (test.status !== 'passed') console.log(`          ${test.status}: ${test.title}`);
    for (const file of row.heldBy) {
      if (!found.some((test) => test.file === file)) console.log(`          no test with [${row.id}] ran in ${file}`);
    }
  }
  for (const { file, message } of broken) console.log(`${file} did not run: ${message.split('\n')[0]}`);
  for (const fault of faults) console.log(fault);
  console.log(`\n${passed} of ${count(rows.length, 'row')} passed`);
  return passed === rows.length && faults.length === 0 && broken.length === 0;
}

/** Every test of the row has passed, and each of its files had one. */
function verdictOn(row: SpecRow, found: readonly RowTest[]): 'pass' | 'fail' {
  const inEveryFile = row.heldBy.every((file) => found.some((test) => test.file === file));
  return inEveryFile && found.every(({ status }) => status === 'passed') ? 'pass' : 'fail';
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

main(process.argv.slice(2)).then(
  (isGreen) => {
    process.exitCode = isGreen ? 0 : 1;
  },
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
