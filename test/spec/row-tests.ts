import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { SpecRow } from './rows.ts';

/** One test that carries a row's id. */
export interface RowTest {
  file: string;
  title: string;
  status: string;
  /** Milliseconds. */
  ms: number;
}

/** What running the tests of some rows came to. */
export interface RowResults {
  /** By row id; empty where no test with the id ran. */
  tests: ReadonlyMap<string, readonly RowTest[]>;
  /** Files that ended before their tests, with why. */
  broken: readonly { file: string; message: string }[];
}

interface Report {
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; duration?: number | null; failureMessages?: string[] }[];
  }[];
}

interface RunOptions {
  /** Folder of the repository, or of a copy. */
  root: string;
  env?: NodeJS.ProcessEnv;
  /** Shows what the test runner says, on the error output. */
  verbose: boolean;
  signal: AbortSignal;
}

/**
 * Runs the tests whose titles carry the ids of `rows`, and no others of their files.
 *
 * @throws when the test runner itself did not run, with what it said; the signal's reason when it aborts
 */
export async function runRowTests(rows: readonly SpecRow[], options: RunOptions): Promise<RowResults> {
  const files = [...new Set(rows.flatMap(({ heldBy }) => heldBy))];
  const pattern = `\\[(${rows.map(({ id }) => id).join('|')})\\]`;
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-spec-'));
  const reportFile = join(folder, 'report.json');
  try {
    const output = await vitest(
      ['run', ...files, '-t', pattern, '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`],
      options,
    );
    options.signal.throwIfAborted();
    return resultsOf(rows, readReport(reportFile, output), options.root);
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

/** @returns what it printed */
function vitest(args: string[], { root, env = process.env, verbose, signal }: RunOptions): Promise<string> {
  const bin = join(root, 'node_modules/vitest/vitest.mjs');
  return new Promise((resolve, reject) => {
    // A group of its own, so that servers which a test started end with it.
    const child = spawn(process.execPath, [bin, ...args], {
      ...{ cwd: root, env, detached: true },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const end = () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    };
    signal.addEventListener('abort', end, { once: true });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (verbose) process.stderr.write(text);
      });
    }
    child.on('error', reject);
    child.on('close', () => {
      signal.removeEventListener('abort', end);
      resolve(output);
    });
  });
}

function resultsOf(rows: readonly SpecRow[], report: Report, root: string): RowResults {
  const tests = new Map<string, RowTest[]>(rows.map(({ id }) => [id, []]));
  const broken: { file: string; message: string }[] = [];
  for (const { name, status, message, assertionResults } of report.testResults) {
    const file = relative(root, name);
    const ran = assertionResults.some((test) => test.status === 'passed' || test.status === 'failed');
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed'))
      broken.push({ file, message });
    if (!ran) continue;
    for (const { fullName, status: outcome, duration } of assertionResults) {
      for (const { id, heldBy } of rows) {
        if (!heldBy.includes(file) || !fullName.includes(`[${id}]`)) continue;
        tests.get(id)?.push({ file, title: fullName, status: outcome, ms: duration ?? 0 });
      }
    }
  }
  return { tests, broken };
}
