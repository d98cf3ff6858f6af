import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { SpecRow } from './rows.ts';
import type { VitestOrder } from './vitest-process.ts';

/** One test that carries a row's id. */
export interface RowTest {
  file: string;
  title: string;
  /** `passed`, `failed`, or how it came not to run: `skipped`, `pending`, `todo`. */
  status: string;
  /** Milliseconds. */
  ms: number;
}

/** What running the tests of some rows came to. */
export interface RowResults {
  /** By row id; empty where no test with the id ran. */
  tests: ReadonlyMap<string, readonly RowTest[]>;
  /** Files that failed outside of their tests: they did not load, or a hook threw. */
  broken: readonly { file: string; message: string }[];
  /** An error that belongs to no test, which the test runner has printed. */
  isStray: boolean;
}

export interface RunOptions {
  /** Folder of the repository, or of a copy. */
  root: string;
  env?: NodeJS.ProcessEnv;
  /** Shows what the test runner says, on the error output. */
  verbose: boolean;
  /** Ends at the first failure. */
  bail?: boolean;
  /** Ends the tests under way, undoes their set-up, and runs no others. */
  signal: AbortSignal;
}

/** The part of the JSON report that is read here. */
export interface Report {
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; duration?: number | null }[];
  }[];
}

/**
 * Runs the tests whose titles carry the ids of `rows`, and no others of their files.
 *
 * @throws when the test runner itself did not run, with what it said; the signal's reason when it aborts
 */
export async function runRowTests(rows: readonly SpecRow[], options: RunOptions): Promise<RowResults> {
  const { root, bail = false, signal } = options;
  signal.throwIfAborted();
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-spec-'));
  try {
    const order = {
      ...{ root, bail, report: join(folder, 'report.json') },
      files: [...new Set(rows.flatMap(({ heldBy }) => heldBy))],
      testNamePattern: `\\[(${rows.map(({ id }) => id).join('|')})\\]`,
    } satisfies VitestOrder;
    const { code, output } = await vitest(order, options);
    signal.throwIfAborted();
    return resultsOf(rows, { report: readReport(order.report, output), root, code });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file: string, output: string): Report {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`The tests left no report:\n${output.slice(-4_000)}`);
  }
}

function vitest(order: VitestOrder, options: RunOptions): Promise<{ code: number | null; output: string }> {
  const { root, env = process.env, verbose, signal } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'test/spec/vitest-process.ts'), JSON.stringify(order)], {
      ...{ cwd: root, env },
      // Ctrl-C in the terminal is for this process alone, which cancels the run in order.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const cancel = () => child.connected && child.send('cancel');
    signal.addEventListener('abort', cancel, { once: true });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (verbose) process.stderr.write(text);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      signal.removeEventListener('abort', cancel);
      resolve({ code, output });
    });
  });
}

/** Sorts a report by row. */
export function resultsOf(
  rows: readonly SpecRow[],
  { report, root, code }: { report: Report; root: string; code: number | null },
): RowResults {
  const tests = new Map<string, RowTest[]>(rows.map(({ id }) => [id, []]));
  const broken: { file: string; message: string }[] = [];
  for (const { name, status, message, assertionResults } of report.testResults) {
    const file = relative(root, name);
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) {
      broken.push({ file, message });
    }
    for (const { fullName, status: outcome, duration } of assertionResults) {
      for (const { id, heldBy } of rows) {
        if (!heldBy.includes(file) || !fullName.includes(`[${id}]`)) continue;
        tests.get(id)?.push({ file, title: fullName, status: outcome, ms: duration ?? 0 });
      }
    }
  }
  const isRed = report.testResults.some(({ status }) => status === 'failed');
  return { tests, broken, isStray: code !== 0 && !isRed };
}
