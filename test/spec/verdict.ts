import type { RowResults } from './row-tests.ts';
import type { SpecRow } from './rows.ts';

/** What keeps a row from passing, each a short sentence; none when every file that holds it has a test and all passed. */
export function shortcomings(
  { id, heldBy }: SpecRow,
  { tests, broken }: Pick<RowResults, 'tests' | 'broken'>,
): string[] {
  const ran = tests.get(id) ?? [];
  return [
    ...ran.filter(({ status }) => status !== 'passed').map(({ status, file, title }) => `${status}: ${file}: ${title}`),
    ...broken
      .filter(({ file }) => heldBy.includes(file))
      .map(({ file, message }) => `failed outside of its tests: ${file}: ${message.split('\n')[0]}`),
    ...heldBy
      .filter((file) => !ran.some((test) => test.file === file))
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
