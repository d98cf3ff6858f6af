import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, ROW_IDS, type SpecRow } from './rows.ts';

/** What is wrong with the rows before any test runs; each begins with the id of its row. */
export function faultsOf(rows: readonly SpecRow[], root = ROOT): string[] {
  const ids = rows.map(({ id }) => id);
  return [
    ...ROW_IDS.filter((id) => !ids.includes(id)).map((id) => `${id}: docs/spec.md has no such row`),
    ...ids.filter((id, n) => ids.indexOf(id) !== n).map((id) => `${id}: the row is there twice`),
    ...ids.filter((id) => !ROW_IDS.includes(id)).map((id) => `${id}: the customer's list has no such row`),
    ...rows.flatMap((row) => [...fileFaults(row, root), ...breakerFaults(row, root)]),
    ...titleFaults(rows, root),
  ];
}

function fileFaults({ id, doneBy, heldBy }: SpecRow, root: string): string[] {
  return [
    ...[...doneBy, ...heldBy].filter((file) => !existsSync(join(root, file))).map((file) => `${id}: no file ${file}`),
    ...heldBy.filter((file) => !file.endsWith('.test.ts')).map((file) => `${id}: ${file} is no file of tests`),
  ];
}

function breakerFaults({ id, doneBy, breaker: { file, before, after } }: SpecRow, root: string): string[] {
  const path = join(root, file);
  if (!existsSync(path)) return [`${id}: no file ${file}`];
  const lines = readFileSync(path, 'utf8').split('\n');
  const count = lines.filter((line) => line.trim() === before).length;
  return [
    ...(count === 1 ? [] : [`${id}: "${before}" stands ${count} times in ${file}, not once`]),
    ...(before === after ? [`${id}: the broken line is the same as before`] : []),
    ...(doneBy.includes(file) ? [] : [`${id}: ${file} is broken, and "Done by" does not name it`]),
  ];
}

/** Titles that a row names and that are not there, and titles that carry an id and that no row names. */
function titleFaults(rows: readonly SpecRow[], root: string): string[] {
  const inFiles = new Map(testFiles(root).map((file) => [file, idsInTitles(readFileSync(join(root, file), 'utf8'))]));
  const missing = rows.flatMap(({ id, heldBy }) =>
    heldBy
      .filter((file) => inFiles.get(file)?.has(id) === false)
      .map((file) => `${id}: no title in ${file} has [${id}]`),
  );
  const unnamed = [...inFiles].flatMap(([file, ids]) =>
    [...ids]
      .filter((id) => !rows.some((row) => row.id === id && row.heldBy.includes(file)))
      .map((id) => `${id}: a title in ${file} has [${id}], and "Held by" does not name the file`),
  );
  return [...missing, ...unnamed];
}

/** Ids at the beginning of titles: `'[P5] [T4] held ...'`. */
export function idsInTitles(source: string): Set<string> {
  const tagged = source.matchAll(/\(\s*(['"`])((?:\[[A-Z]\d+\] ?)+)/g);
  return new Set([...tagged].flatMap(([, , tags = '']) => [...tags.matchAll(/[A-Z]\d+/g)].map(([id]) => id)));
}

/** The tests of these tools are left out: they are full of ids that are no rows' tests. */
function testFiles(root: string): string[] {
  const inside = readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true });
  return inside
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length))
    .filter((file) => !file.startsWith('test/spec/'));
}
