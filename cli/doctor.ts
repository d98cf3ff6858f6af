import { type Command, InvalidArgumentError } from 'commander';
import { type Config, ConfigError, isProduction } from '../platform/config.ts';
import type { Finding, Phase } from './doctor-finding.ts';

interface Flags {
  readonly dataDir: string;
  readonly production?: boolean;
  readonly json?: boolean;
  readonly live?: 'api' | 'worker';
}

/** `tradeguard doctor`: what works here, what does not, and what to do about it. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check the installation; exit status 1 when something fails')
    .option('--production', 'the checklist of a production: before, at and after a deployment')
    .option('--json', 'print the result as JSON')
    .option('--live <process>', 'only whether the api or worker of this machine lives, for health checks', parseLive)
    .option('--data-dir <folder>', 'of an installation on this machine', process.env.DATA_DIR || '.data')
    .action(doctor);
}

function parseLive(value: string): 'api' | 'worker' {
  if (value !== 'api' && value !== 'worker') throw new InvalidArgumentError('Write api or worker.');
  return value;
}

async function doctor(flags: Flags): Promise<void> {
  if (flags.live !== undefined) {
    const { isApiAlive, isWorkerAlive } = await import('./doctor-live.ts');
    const { alive, detail } = await (flags.live === 'api' ? isApiAlive(process.env) : isWorkerAlive(flags.dataDir));
    console.log(detail);
    process.exitCode = alive ? 0 : 1;
    return;
  }
  const findings = await examine(flags);
  if (flags.json) console.log(JSON.stringify({ ...counts(findings), findings }, null, 2));
  else print(findings);
  process.exitCode = findings.some(({ state }) => state === 'fail') ? 1 : 0;
}

async function examine({ dataDir, production: wanted = false }: Flags): Promise<Finding[]> {
  const [
    machine,
    { examineDatabase },
    { examineTemporal },
    { examineRunning },
    { examineCalendar },
    checklist,
    { finding, ok, fail },
  ] = await Promise.all([
    import('./doctor-machine.ts'),
    import('./doctor-database.ts'),
    import('./doctor-temporal.ts'),
    import('./doctor-running.ts'),
    import('./doctor-calendar.ts'),
    import('./doctor-checklist.ts'),
    import('./doctor-finding.ts'),
  ]);
  const read = await readConfig(dataDir, wanted);
  if ('problems' in read) {
    const faults = read.problems.map((problem, n) =>
      finding(`configuration-${n + 1}`, 'before', 'The configuration', fail(problem, 'See docs/configuration.md.')),
    );
    return [...faults, ...machine.examineProgram(wanted)];
  }
  const { config } = read;
  const production = wanted || config.production;
  const { findings: database, major } = await examineDatabase(config, production);
  const [temporal, surroundings, running] = await Promise.all([
    examineTemporal(config, production),
    machine.examineMachine(config, production, major),
    major === undefined ? [] : examineRunning(config, production),
  ]);
  return [
    finding('configuration', 'before', 'The configuration', ok('Complete')),
    ...(production ? [checklist.productionFlag(isProduction(process.env))] : []),
    ...machine.examineProgram(production),
    ...database,
    ...temporal,
    ...surroundings,
    ...running,
    examineCalendar(Date.now()),
    ...(production ? checklist.forPeople() : []),
  ];
}

/** With `production` the rules of production hold whatever NODE_ENV says, so that a machine can be checked ahead. */
async function readConfig(
  dataDir: string,
  production: boolean,
): Promise<{ config: Config } | { problems: readonly string[] }> {
  const { installationConfig } = await import('./installation-config.ts');
  const env = production ? { ...process.env, NODE_ENV: 'production' } : process.env;
  try {
    return { config: installationConfig(dataDir, env) };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems };
    throw error;
  }
}

const PHASES: readonly [Phase, string][] = [
  ['before', 'Before the deployment'],
  ['at', 'At the deployment'],
  ['after', 'After the deployment'],
];

function print(findings: readonly Finding[]): void {
  for (const [phase, title] of PHASES) {
    const ofPhase = findings.filter((one) => one.phase === phase);
    if (ofPhase.length === 0) continue;
    console.log(`\n${title}`);
    for (const { state, title: what, detail, advice } of ofPhase) {
      console.log(`  ${state.padEnd(4)}  ${what}: ${detail}`);
      if (advice !== undefined) console.log(`        -> ${advice}`);
    }
  }
  const { ok, warn, fail } = counts(findings);
  console.log(`\n${ok} ok, ${warn} to look at, ${fail} failed.`);
}

function counts(findings: readonly Finding[]) {
  const count = (state: Finding['state']) => findings.filter((one) => one.state === state).length;
  return { ok: count('ok'), warn: count('warn'), fail: count('fail') };
}
