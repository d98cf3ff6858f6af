import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');
const FOLDER = join(import.meta.dirname, '../../.fuzz');
const VIRTUAL_ENVIRONMENT = join(FOLDER, 'python');
/** What the pinned Schemathesis asks for. */
const OLDEST_PYTHON = [3, 11] as const;

/**
 * What is held of every answer. Left out: what the proxy answers for the fuzzer (sessions, signature headers), and 405
 * where the API says 404 on purpose, so that it tells nobody which addresses exist.
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
];

/**
 * Installs Schemathesis into a virtual environment of its own under `.fuzz/`, unless that was done with these
 * requirements.
 *
 * @returns the command to run it
 * @throws when no Python is new enough, or pip fails; says what to do
 */
export async function installSchemathesis(say: (line: string) => void, signal: AbortSignal): Promise<string> {
  const command = join(VIRTUAL_ENVIRONMENT, 'bin/schemathesis');
  const stamp = join(VIRTUAL_ENVIRONMENT, 'installed');
  const wanted = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return command;
  const python = findPython();
  say(`Installing Schemathesis with ${python} into .fuzz/python (once; about 40 MB)...`);
  rmSync(VIRTUAL_ENVIRONMENT, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  await must(python, ['-m', 'venv', VIRTUAL_ENVIRONMENT], 'Install the venv module (Debian: python3-venv).', signal);
  const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--only-binary', ':all:'];
  await must(
    join(VIRTUAL_ENVIRONMENT, 'bin/python'),
    [...pip, '--progress-bar', 'off', '--require-hashes', '-r', REQUIREMENTS],
    'It needs the Python package index (PIP_INDEX_URL names a mirror); run the command again.',
    signal,
  );
  writeFileSync(stamp, wanted);
  return command;
}

function findPython(): string {
  const names = [process.env.PYTHON, 'python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11'];
  const needed = OLDEST_PYTHON.join('.');
  for (const name of names) {
    if (name === undefined || name === '') continue;
    const asked = spawnSync(name, ['-c', 'import sys; print(*sys.version_info[:2])'], { encoding: 'utf8' });
    const [major = 0, minor = 0] = (asked.stdout ?? '').split(' ').map(Number);
    if (asked.status === 0 && major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1]) return name;
  }
  throw new Error(
    `npm run fuzz needs Python ${needed} or newer, and none was found. Install one, or name it: PYTHON=/path/to/python3 npm run fuzz. The short form in npm test needs none.`,
  );
}

async function must(command: string, args: string[], advice: string, signal: AbortSignal): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], signal });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} ended with ${code}. ${advice}`);
}

export interface FuzzRun {
  command: string;
  /** Where the document is served; requests go to the same place. */
  documentUrl: string;
  url: string;
  seed: number;
  /** Cases an operation and phase. */
  examples: number;
  /** Seconds after which it stops to draw. */
  maxTime: number | undefined;
  /** Its whole output, with a curl command for every find. */
  outputFile: string;
  signal: AbortSignal;
}

/** Runs Schemathesis once. @returns its exit code: 0 nothing found, 1 found something, else it did not run */
export async function runSchemathesis(run: FuzzRun): Promise<number> {
  const args = [
    ...['run', run.documentUrl, '--url', run.url, '--no-color', '--continue-on-failure', '--warnings', 'off'],
    ...['--checks', CHECKS.join(','), '--seed', String(run.seed), '--max-examples', String(run.examples)],
    // Drawn values alone: a stored example of an earlier run would make the seed say nothing.
    ...['--generation-database', 'none', '--suppress-health-check', 'all', '--request-timeout', '30'],
    ...(run.maxTime === undefined ? [] : ['--max-time', String(run.maxTime)]),
  ];
  const options: SpawnOptions = { cwd: FOLDER, stdio: ['ignore', 'pipe', 'pipe'], env: quietEnvironment() };
  const child = spawn(run.command, args, { ...options, signal: run.signal });
  const output = createWriteStream(run.outputFile);
  for (const stream of [child.stdout, child.stderr]) stream?.pipe(output, { end: false });
  const [code] = (await once(child, 'close')) as [number | null];
  output.end();
  return code ?? 70;
}

function quietEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, NO_COLOR: '1', PYTHONUNBUFFERED: '1', COLUMNS: '120' };
}
