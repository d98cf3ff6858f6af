import type { RowResults, RowTest } from './row-tests.ts';
import type { SpecRow } from './rows.ts';

/** What keeps a row from passing, each a short sentence; none when every file that holds it has a test and all passed. */
export function shortcomings({ id, heldBy }: SpecRow, tests: readonly RowTest[]): string[] {
  return [
    ...tests
      .filter(({ status }) => status !== 'passed')
      .map(({ status, file, title }) => `${status}: ${file}: ${title}`),
    ...heldBy
      .filter((file) => !tests.some((test) => test.file === file))
      .map((file) => `no test with [${id}] ran in ${file}`),
  ];
}

/**
 * Whether breaking a row was seen. Only a test of the row that ran and failed is a proof: a file that does not load and a
 * system that does not start have shown nothing.
 *
 * @returns `caught`, or what it was instead
 */
export function verdictOnMutant({ id }: SpecRow, { tests, broken }: RowResults): string {
  const ran = tests.get(id) ?? [];
  if (ran.some(({ status }) => status === 'failed')) return 'caught';
  const [unrun] = broken;
  if (unrun !== undefined) return `not tried, ${unrun.file} did not run: ${unrun.message.split('\n')[0]}`;
  return ran.some(({ status }) => status === 'passed') ? 'SURVIVED' : 'not tried, no test ran';
}
