import { styleText } from 'node:util';
import { faultsOf } from './faults.ts';
import { type RowResults, type RowTest, runRowTests } from './row-tests.ts';
import { askedIds, ROOT, readSpec, type SpecRow } from './rows.ts';
import { stopOnSignals } from './stop.ts';
import { shortcomings } from './verdict.ts';

/** Of one file and row: the guarantees are told apart by their first titles, tables of cases need not be printed whole. */
const TITLES_SHOWN = 3;

const NOTHING: RowResults = { tests: new Map(), broken: [], isStray: false };

/** `npm run spec [-- IDS]`: runs the tests of the customer's rows and prints what each row came to. */
async function main(given: readonly string[]): Promise<boolean> {
  const ids = askedIds(given);
  const rows = readSpec();
  const asked = rows.filter(({ id }) => ids.includes(id));
  const faults = faultsOf(rows).filter((fault) => ids.includes(fault.split(':')[0] ?? '') || given.length === 0);
  const { tests, broken, isStray } =
    asked.length === 0 ? NOTHING : await runRowTests(asked, { root: ROOT, verbose: true, signal: stopOnSignals() });

  const red = ids.filter((id) => {
    const row = asked.find((one) => one.id === id);
    const reasons = [
      ...faults.filter((fault) => fault.startsWith(`${id}: `)).map((fault) => fault.slice(id.length + 2)),
      ...(row === undefined ? [] : shortcomings(row, { tests, broken })),
    ];
    print(id, row, tests.get(id) ?? [], reasons);
    return reasons.length > 0;
  });
  const strayFaults = faults.filter((fault) => !ids.some((id) => fault.startsWith(`${id}: `)));
  for (const fault of strayFaults) console.log(fault);
  if (isStray) console.log('An error belongs to no test; it stands above the table.');
  console.log(
    `\n${ids.length - red.length} of ${ids.length} rows passed${red.length > 0 ? `; not ${red.join(', ')}` : ''}`,
  );
  return red.length === 0 && strayFaults.length === 0 && !isStray;
}

/** One row of the table: what, verdict, what its tests see, and the tests with their time. */
function print(id: string, row: SpecRow | undefined, found: readonly RowTest[], reasons: readonly string[]): void {
  const isGreen = reasons.length === 0;
  const verdict = styleText(isGreen ? 'green' : 'red', isGreen ? 'pass' : 'fail', { stream: process.stdout });
  console.log(`${id.padEnd(5)}${verdict}  ${row?.what ?? ''}`);
  const say = (line: string) => console.log(`           ${line}`);
  if (row !== undefined) say(row.evidence.replaceAll(/\s+/g, ' '));
  for (const file of row?.heldBy ?? []) {
    const own = found.filter((test) => test.file === file);
    if (own.length === 0) continue;
    say(file);
    for (const { title, ms } of own.slice(0, TITLES_SHOWN)) say(`  ${title} (${(ms / 1000).toFixed(1)} s)`);
    if (own.length > TITLES_SHOWN) say(`  and ${own.length - TITLES_SHOWN} more`);
  }
  for (const reason of reasons) say(styleText('red', reason, { stream: process.stdout }));
}

main(process.argv.slice(2)).then(
  (isGreen) => {
    process.exitCode = isGreen ? 0 : 1;
  },
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
