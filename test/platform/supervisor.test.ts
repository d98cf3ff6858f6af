import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Endpoints } from '../../platform/endpoints.ts';
import { readJsonFile } from '../../platform/private-file.ts';
import { endProcess, identify, isRunning, type ProcessIdentity } from '../../platform/process-identity.ts';

/** Stands in for api/main.ts and workers/main.ts, which have tests of their own: says that it is ready, and waits. */
const CHILD = `
import { createServer } from 'node:http';
const name = process.argv[1].includes('api') ? 'api' : 'worker';
console.log(name, 'owner:', process.env.DATABASE_OWNER_URL ?? 'none', 'secret:', (process.env.SESSION_SECRET ?? '').length);
process.on('SIGTERM', () => { console.log(name, 'stopped'); process.exit(0); });
const server = createServer((_, response) => response.end(name));
server.listen(name === 'api' ? Number(process.env.PORT) : 0, '127.0.0.1', () =>
  process.send?.({ type: 'ready', url: name === 'api' ? 'http://127.0.0.1:' + server.address().port : undefined }));
`;

const platformUrl = (file: string): string => new URL(`../../platform/${file}`, import.meta.url).href;

/** What \`tradeguard start\` does, with those children and without migrations. */
const RUNNER = `
import { createSupervisor } from '${platformUrl('supervisor.ts')}';
import { onStopSignals } from '${platformUrl('stop-signals.ts')}';
const [dataDir, port, api, worker] = process.argv.slice(2);
const supervisor = createSupervisor({
  dataDir, env: process.env, port: port === 'default' ? undefined : Number(port), say: (line) => console.log(line),
  modules: { api, worker }, prepare: async () => {},
});
onStopSignals({
  onStop: () => supervisor.stop().then(() => process.exit(0)),
  onInsist: () => { supervisor.kill(); process.exit(1); },
});
supervisor.start().then(() => console.log('READY'), async (error) => {
  console.log(error.message);
  await supervisor.stop();
  process.exit(1);
});
`;

let folder: string;
let dataDir: string;
let runs: { child: ChildProcess; output: () => string }[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-supervisor-'));
  dataDir = join(folder, 'data');
  runs = [];
  for (const name of ['api.mjs', 'worker.mjs']) writeFileSync(join(folder, name), CHILD);
  writeFileSync(join(folder, 'runner.mjs'), RUNNER);
});

afterEach(async () => {
  const left = Object.values(readJsonFile<Record<string, ProcessIdentity>>(join(dataDir, 'children.json')) ?? {});
  for (const { child } of runs) child.kill('SIGKILL');
  for (const orphan of left) await endProcess(orphan, 'SIGKILL', 5_000);
  const cluster = readJsonFile<{ directory: string }>(join(dataDir, 'postgres.json'));
  if (cluster) rmSync(cluster.directory, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

function run(env: NodeJS.ProcessEnv = {}, port = '0') {
  const args = [join(folder, 'runner.mjs'), dataDir, port, join(folder, 'api.mjs'), join(folder, 'worker.mjs')];
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const one = { child, exited, output: () => output };
  runs.push(one);
  return one;
}

async function until<T>(what: () => T | undefined | false, timeoutMs = 60_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = what();
    if (value) return value;
    if (Date.now() > deadline)
      throw new Error(`It did not happen. Output:\n${runs.map((r) => r.output()).join('\n---\n')}`);
    await sleep(50);
  }
}

const ready = (one: { output: () => string }) => until(() => one.output().includes('READY'));
const endpoints = () => JSON.parse(readFileSync(join(dataDir, 'endpoints.json'), 'utf8')) as Endpoints;
const identities = (pids: Endpoints['pids']) =>
  Object.values(pids).map((pid) => identify(pid as number) as ProcessIdentity);

/** The servers are another test's matter: these addresses are only handed on. */
const EXTERNAL = { DATABASE_URL: 'postgresql://app:pw@127.0.0.1:1/x', TEMPORAL_ADDRESS: '127.0.0.1:1' };

test('brings up four processes, announces them privately, and ends them and nothing else', async () => {
  const first = run();
  await ready(first);
  const { api, temporal, temporalUi, database, databaseOwner, pids } = endpoints();
  expect(Object.keys(pids).sort()).toEqual(['api', 'postgres', 'supervisor', 'temporal', 'worker']);
  expect(statSync(join(dataDir, 'endpoints.json')).mode & 0o777).toBe(0o600);
  expect(statSync(join(dataDir, 'secrets.json')).mode & 0o777).toBe(0o600);
  expect(await (await fetch(api)).text()).toBe('api');
  expect((await fetch(temporalUi as string)).status).toBe(200);
  expect(temporal).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(database).toContain('tradeguard_app');
  expect(databaseOwner).toContain('tradeguard_owner');
  // The application never gets the owner's credentials.
  expect(readFileSync(join(dataDir, 'logs', 'api.log'), 'utf8')).toContain('owner: none secret: 64');

  const all = identities(pids);
  first.child.kill('SIGTERM');
  expect(await first.exited).toBe(0);
  expect(all.filter(isRunning)).toEqual([]);
  for (const name of ['endpoints.json', 'children.json', 'lock']) expect(existsSync(join(dataDir, name))).toBe(false);
});

test('each of the four is started again when it is killed, under the same addresses', async () => {
  const one = run();
  await ready(one);
  const before = endpoints();
  const roles = ['postgres', 'temporal', 'worker', 'api'] as const;
  for (const role of roles) process.kill(before.pids[role] as number, 'SIGKILL');
  await until(() => one.output().match(/runs again/g)?.length === 4);
  const after = endpoints();
  expect(roles.filter((role) => after.pids[role] === before.pids[role])).toEqual([]);
  expect({ ...after, pids: {} }).toEqual({ ...before, pids: {} });
  const client = new pg.Client({ connectionString: before.database });
  await client.connect();
  await client.end();
  expect(await (await fetch(after.api)).text()).toBe('api');
});

test('after a kill -9 of the supervisor its children are ended by the next start', async () => {
  const first = run();
  await ready(first);
  const { supervisor, ...children } = endpoints().pids;
  const orphans = identities(children);
  process.kill(supervisor as number, 'SIGKILL');
  await first.exited;
  expect(orphans.filter(isRunning)).toHaveLength(4);

  const second = run();
  await ready(second);
  expect(orphans.filter(isRunning)).toEqual([]);
  expect(second.output()).toContain('Ended what an interrupted start had left: API, Worker, Temporal, PostgreSQL.');
});

test('a process that merely has the number of a former child is left alone', async () => {
  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  try {
    await ready(run(EXTERNAL));
    const [one] = runs;
    one?.child.kill('SIGKILL');
    await until(() => one?.child.signalCode);
    const file = join(dataDir, 'children.json');
    const children = readJsonFile<Record<string, ProcessIdentity>>(file) ?? {};
    for (const child of Object.values(children)) await endProcess(child, 'SIGKILL', 5_000);
    writeFileSync(file, JSON.stringify({ api: { ...children.api, pid: bystander.pid } }));
    await ready(run(EXTERNAL));
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
  } finally {
    bystander.kill('SIGKILL');
  }
});

test('a data folder in use is refused, and the refused start disturbs nothing', async () => {
  await ready(run(EXTERNAL));
  const refused = run(EXTERNAL);
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toContain(`is in use by process ${endpoints().pids.supervisor}`);
  expect(identities(endpoints().pids).filter(isRunning)).toHaveLength(3);
});

test('given servers are used and none is started', async () => {
  await ready(run(EXTERNAL));
  const { pids, database, temporal } = endpoints();
  expect(Object.keys(pids).sort()).toEqual(['api', 'supervisor', 'worker']);
  expect(database).toBe(EXTERNAL.DATABASE_URL);
  expect(temporal).toBe(EXTERNAL.TEMPORAL_ADDRESS);
});

test('a port asked for and taken is refused by name', async () => {
  const first = run(EXTERNAL);
  await ready(first);
  const { port } = new URL(endpoints().api);
  dataDir = join(folder, 'other');
  const second = run(EXTERNAL, port);
  expect(await second.exited).toBe(1);
  expect(second.output()).toContain(`Port ${port} for the API is taken. Choose another with --port`);
  dataDir = join(folder, 'data');
});

test('a process that never becomes ready fails the start with the end of its log, and nothing is left', async () => {
  writeFileSync(join(folder, 'worker.mjs'), 'console.log("no bundle to be found"); process.exit(7);');
  const failed = run(EXTERNAL);
  expect(await failed.exited).toBe(1);
  expect(failed.output()).toMatch(/Worker: ended with code 7\.[\s\S]*no bundle to be found/);
  expect(existsSync(join(dataDir, 'children.json'))).toBe(false);
});

test('a wrong configuration is told before anything is started', async () => {
  const failed = run({ LOCKOUT_WINDOW: 'soon', NODE_ENV: 'development' });
  expect(await failed.exited).toBe(1);
  expect(failed.output()).toContain('LOCKOUT_WINDOW: write a duration');
  expect(existsSync(join(dataDir, 'logs'))).toBe(false);
});

test('[C7] a development installation draws its secrets itself, other ones than any other, and keeps them', async () => {
  const drawn: Record<string, string>[] = [];
  for (const isNew of [true, false, true]) {
    if (isNew) rmSync(dataDir, { recursive: true, force: true });
    const one = run({ ...EXTERNAL, NODE_ENV: 'development' });
    await ready(one);
    drawn.push(JSON.parse(readFileSync(join(dataDir, 'secrets.json'), 'utf8')));
    one.child.kill('SIGTERM');
    await one.exited;
  }
  const [first = {}, again = {}, other = {}] = drawn;
  expect(again).toEqual(first);
  const all = [...Object.values(first), ...Object.values(other)];
  expect(all).toHaveLength(6);
  expect(new Set(all).size).toBe(6);
  for (const one of all) expect(Buffer.from(one, 'base64').length).toBeGreaterThanOrEqual(32);
});

test('[C7] production generates no secrets', async () => {
  const failed = run({ ...EXTERNAL, NODE_ENV: 'production' });
  expect(await failed.exited).toBe(1);
  expect(failed.output()).toContain('SESSION_SECRET is not set');
  expect(existsSync(join(dataDir, 'secrets.json'))).toBe(false);
});

test('under an old Node the shim runs the Node that npm installed, with its arguments and exit code', async () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const oldNode = `data:text/javascript,Object.defineProperty(process, 'version', { value: 'v18.20.0' })`;
  const args = ['--import', oldNode, join(root, 'cli/bin.js'), 'start', '--port', 'none'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stderr.on('data', (chunk) => (output += chunk));
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(1);
  // Where no package brings a Node, one line says what to install.
  const brought = existsSync(join(root, 'node_modules/.bin/node'));
  expect(output).toContain(brought ? 'A port is a number from 0 to 65535.' : 'needs Node 24 and this is v18.20.0');
});
