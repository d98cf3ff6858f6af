import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startLocalPostgres } from '../../platform/local-postgres.ts';
import { startLocalTemporal } from '../../platform/local-temporal.ts';
import { copyRepository, type MutantCopy } from './mutant-copy.ts';
import { type RunOptions, runRowTests } from './row-tests.ts';
import { askedIds, ROW_IDS, readSpec, type SpecRow } from './rows.ts';
import { stopOnSignals } from './stop.ts';
import { shortcomings, verdictOnMutant } from './verdict.ts';

const SAMPLE = 12;

/** `npm run spec:mutants [-- IDS] [--seed N] [--all]`: breaks rows by their one-line change and sees their tests fail. */
async function main(): Promise<boolean> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string' }, all: { type: 'boolean', default: false } },
  });
  if (values.seed !== undefined && (positionals.length > 0 || values.all)) {
    throw new Error('--seed draws rows; rows that are named, and all of them, are not drawn.');
  }
  const rows = readSpec();
  const ids = positionals.length > 0 || values.all ? askedIds(positionals) : sample(values.seed);
  const missing = ids.filter((id) => !rows.some((row) => row.id === id));
  for (const id of missing) console.log(`${id.padEnd(4)}not tried, docs/spec.md has no such row`);

  const signal = stopOnSignals();
  const undo: (() => unknown)[] = [];
  try {
    const copy = copyRepository();
    undo.push(copy.remove);
    const env = { ...process.env, ...(await sharedServers(undo)) };
    signal.throwIfAborted();
    const chosen = rows.filter(({ id }) => ids.includes(id));
    const missed = await judge(chosen, copy, { root: copy.root, env, verbose: false, signal });
    return missing.length === 0 && missed === 0;
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** Unbroken first: tests that are red anyway would prove nothing. @returns how many rows were not caught */
async function judge(rows: readonly SpecRow[], copy: MutantCopy, run: RunOptions): Promise<number> {
  if (rows.length === 0) return 0;
  console.log(`The tests of ${rows.length} rows, unbroken: ${rows.map(({ id }) => id).join(' ')}`);
  const typeError = await copy.typeError(run.signal);
  if (typeError !== undefined) throw new Error(`The unbroken tree is no program: ${typeError}`);
  const unbroken = await runRowTests(rows, { ...run, verbose: true });
  let missed = 0;
  for (const [n, row] of rows.entries()) {
    const { file, before, after } = row.breaker;
    console.log(`${String(n + 1).padStart(3)}/${rows.length}  ${row.id.padEnd(4)}${file}: ${before} -> ${after}`);
    const [alreadyRed] = shortcomings(row, unbroken);
    const verdict =
      alreadyRed === undefined ? await breakRow(row, copy, run) : `red before anything was broken: ${alreadyRed}`;
    if (verdict !== 'caught') missed += 1;
    console.log(`             ${verdict}`);
  }
  console.log(missed === 0 ? 'Every broken row was caught.' : `${missed} of ${rows.length} were not caught.`);
  return missed;
}

async function breakRow(row: SpecRow, copy: MutantCopy, run: RunOptions): Promise<string> {
  const restore = copy.mutate(row.breaker);
  try {
    // A typing error makes every test red, and none has seen anything.
    const typeError = row.breaker.file.endsWith('.ts') ? await copy.typeError(run.signal) : undefined;
    if (typeError !== undefined) return `not tried, it is no program: ${typeError}`;
    return verdictOnMutant(row, await runRowTests([row], { ...run, bail: true }));
  } finally {
    restore();
  }
}

/** Draws rows by a seed, which is printed, so that the same ones can be drawn again. */
function sample(given: string | undefined): string[] {
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`--seed is a whole number, not ${given}`);
  console.log(`Seed ${seed}; the same rows again: npm run spec:mutants -- --seed ${seed}`);
  let state = seed;
  // Linear congruential generator of Numerical Recipes: a draw needs no better one.
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  const drawn = ROW_IDS.map((id) => ({ id, at: next() })).toSorted((a, b) => a.at - b.at);
  return drawn.slice(0, SAMPLE).map(({ id }) => id);
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
    // Started by root, it lies outside of the folder, where its unprivileged user can reach it.
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
