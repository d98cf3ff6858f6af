import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { startLocalPostgres } from '../../platform/local-postgres.ts';
import { startLocalTemporal } from '../../platform/local-temporal.ts';
import { type RowTest, runRowTests } from './row-tests.ts';
import { broken, ROOT, readSpec, type SpecRow, selectRows } from './rows.ts';

const SAMPLE = 12;

/** `npm run spec:mutants [-- IDS] [--seed N] [--all]`: breaks rows by their one-line change and sees their tests fail. */
async function main(): Promise<boolean> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string' }, all: { type: 'boolean', default: false } },
  });
  const rows = readSpec();
  const chosen = positionals.length > 0 || values.all ? selectRows(rows, positionals) : sample(rows, values.seed);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error('Interrupted.')));
  const undo: (() => unknown)[] = [];
  try {
    const root = copyOfTree(undo);
    const env = { ...process.env, ...(await sharedServers(undo)) };
    return await judge(chosen, { root, env, verbose: false, signal: stop.signal });
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** Unbroken first: tests that are red anyway would prove nothing. @returns whether every mutant was caught */
async function judge(rows: readonly SpecRow[], run: Parameters<typeof runRowTests>[1]): Promise<boolean> {
  console.log(`The tests of ${rows.length} rows, unbroken: ${rows.map(({ id }) => id).join(' ')} ...`);
  const before = await runRowTests(rows, run);
  let isSound = true;
  for (const [n, row] of rows.entries()) {
    const unbroken = before.tests.get(row.id) ?? [];
    const verdict =
      unbroken.length > 0 && allPassed(unbroken) ? await breakRow(row, run) : 'red before anything was broken';
    if (verdict !== 'caught') isSound = false;
    const { file, before: line, after } = row.breaker;
    console.log(
      `${String(n + 1).padStart(3)}/${rows.length}  ${row.id.padEnd(4)}${verdict}: ${file}: ${line} -> ${after}`,
    );
  }
  console.log(isSound ? 'Every broken row was caught.' : 'Not every broken row was caught.');
  return isSound;
}

async function breakRow(row: SpecRow, run: Parameters<typeof runRowTests>[1]): Promise<string> {
  const path = join(run.root, row.breaker.file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, broken(text, row.breaker));
  try {
    const { tests, broken: unrun } = await runRowTests([row], run);
    const ran = tests.get(row.id) ?? [];
    // A file that no longer loads is a typing error, and no test has seen anything.
    const unloadable = unrun.find(({ message }) => /SyntaxError|Cannot find|Transform failed|Parse/.test(message));
    if (unloadable !== undefined) return `not tried, ${unloadable.file} did not load`;
    return unrun.length > 0 || !allPassed(ran) ? 'caught' : 'SURVIVED';
  } finally {
    writeFileSync(path, text);
  }
}

const allPassed = (tests: readonly RowTest[]) => tests.every(({ status }) => status === 'passed');

/** Draws rows by a seed, which is printed, so that the same ones can be drawn again. */
function sample(rows: readonly SpecRow[], given: string | undefined): SpecRow[] {
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`--seed is a whole number, not ${given}`);
  console.log(`Seed ${seed}; the same rows again: npm run spec:mutants -- --seed ${seed}`);
  let state = seed;
  // Linear congruential generator of Numerical Recipes: a draw needs no better one.
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return rows
    .map((row) => ({ row, at: next() }))
    .toSorted((a, b) => a.at - b.at)
    .slice(0, SAMPLE)
    .map(({ row }) => row);
}

/** What git would commit, changes that are not committed yet among it; dependencies are shared by a link. */
function copyOfTree(undo: (() => unknown)[]): string {
  const copy = mkdtempSync(join(tmpdir(), 'tradeguard-mutants-'));
  undo.push(() => rmSync(copy, { recursive: true, force: true }));
  const listed = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard', '--deduplicate'], { cwd: ROOT });
  const isThere = (file: string) => file !== '' && existsSync(join(ROOT, file));
  for (const file of listed.toString('utf8').split('\0').filter(isThere)) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(ROOT, file), join(copy, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** One PostgreSQL and one Temporal server for all runs. */
async function sharedServers(undo: (() => unknown)[]): Promise<Record<string, string>> {
  const { TEST_DATABASE_ADMIN_URL, TEST_DATABASE_APP_URL, TEST_TEMPORAL_ADDRESS } = process.env;
  if (TEST_DATABASE_ADMIN_URL && TEST_DATABASE_APP_URL && TEST_TEMPORAL_ADDRESS) return {};
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-mutants-servers-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const postgres = await startLocalPostgres({ dataDir: folder, unsafeFast: true });
  undo.push(async () => {
    await postgres.stop();
    rmSync(postgres.dataDirectory, { recursive: true, force: true });
  });
  const temporal = await startLocalTemporal({ dataDir: folder, headless: true, say: console.log });
  undo.push(() => temporal.stop());
  return {
    TEST_DATABASE_ADMIN_URL: postgres.ownerUrl,
    TEST_DATABASE_APP_URL: postgres.url,
    TEST_TEMPORAL_ADDRESS: temporal.address,
  };
}

main().then(
  (isSound) => {
    process.exitCode = isSound ? 0 : 1;
  },
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
