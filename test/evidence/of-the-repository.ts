import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../spec/rows.ts';
import { type Finding, found, type Severity } from './finding.ts';

/** A check of the repository: exit code 0 is met, 2 is unknown where the check says so, everything else is not met. */
interface Check {
  id: string;
  severity: Severity;
  claim: string;
  command: readonly string[];
  /** Exit code 2 means that it could not find out. */
  mayBeUnknown?: boolean;
}

const CHECKS: readonly Check[] = [
  { id: 'types', severity: 'medium', claim: 'The program passes the type check', command: ['npm', 'run', 'typecheck'] },
  { id: 'lint', severity: 'low', claim: 'The program passes the linter', command: ['npm', 'run', 'lint'] },
  {
    id: 'licences',
    severity: 'medium',
    claim: 'Every production package has an accepted licence',
    command: ['npm', 'run', 'licences'],
  },
  {
    id: 'vulnerabilities',
    severity: 'high',
    claim: 'No production package has a known vulnerability of moderate severity or more',
    command: ['npm', 'run', 'audit'],
    mayBeUnknown: true,
  },
];

/** What the repository's own checks say today. */
export function observeRepository(): Finding[] {
  return [...CHECKS.map(observe), exactVersions()];
}

function observe({ id, severity, claim, command, mayBeUnknown = false }: Check): Finding {
  const [program = '', ...args] = command;
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });
  const lines = `${stdout ?? ''}\n${stderr ?? ''}`
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(>|npm )/.test(line));
  const last = lines.at(-1) ?? 'no output';
  return found(
    {
      id,
      area: 'Program and packages',
      severity,
      claim,
      source: command.join(' '),
      observed: `exit code ${status}: ${last.slice(0, 160)}`,
    },
    mayBeUnknown && status === 2 ? undefined : status === 0,
  );
}

function exactVersions(): Finding {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  const asked = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
    Object.entries(manifest[kind] ?? {}),
  );
  const loose = asked.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version));
  return found(
    {
      id: 'exact-versions',
      area: 'Program and packages',
      severity: 'medium',
      claim: 'Every package is asked for in one exact version',
      source: 'package.json',
      observed:
        loose.length === 0
          ? `${asked.length} packages, all exact`
          : loose.map(([name, version]) => `${name} ${version}`).join(', '),
    },
    asked.length > 0 && loose.length === 0,
  );
}

/**
 * What `npm run spec` printed about the customer's rows.
 *
 * @param file its output; without one nothing is claimed
 */
export function observeSpec(file: string | undefined): Finding {
  const text = file !== undefined && existsSync(file) ? readFileSync(file, 'utf8') : '';
  const total = /^(\d+) of (\d+) rows passed.*$/m.exec(text);
  return found(
    {
      id: 'customer-rows',
      area: 'Requirements',
      severity: 'high',
      claim: "Every row of the customer's list passes its tests",
      source: 'npm run spec',
      observed: total?.[0] ?? 'no result of a run was given (--spec FILE)',
    },
    total === null ? undefined : total[1] === total[2],
  );
}

/** The figures that bench/README.md tells, as they stand there; whether they meet their targets is said by that page. */
export function observeBench(): Finding {
  const text = readFileSync(join(ROOT, 'bench/README.md'), 'utf8');
  const rows = [...text.matchAll(/^(1|8|32)\s+(transaction|login)\s.*?(\d+\.\d+) x\s+(\d+\.\d+) x$/gm)];
  const told = rows.map(
    ([, callers, call, p50, throughput]) => `${call}, ${callers} callers: p50 ${p50} x, throughput ${throughput} x`,
  );
  const meets = rows.every(([, , , p50, throughput]) => Number(p50) <= 1.5 && Number(throughput) >= 0.6);
  return found(
    {
      id: 'verdict-speed',
      area: 'Requirements',
      severity: 'low',
      claim: 'A verdict takes at most 1.5 times the bare workflow at p50, and keeps 0.6 of its throughput',
      source: 'bench/README.md (npm run bench)',
      observed: told.length === 0 ? 'no figures found' : told.join('; '),
    },
    rows.length === 0 ? undefined : meets,
  );
}

/** The commit that is examined, and whether files differ from it. */
export function examinedCommit(): string {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' }).stdout?.trim() ?? '';
  const commit = git('rev-parse', 'HEAD');
  if (commit === '') return 'unknown';
  const changed = git('status', '--porcelain', '--untracked-files=no')
    .split('\n')
    .filter((line) => line !== '').length;
  return changed === 0 ? commit : `${commit}, and ${changed} changed files`;
}
