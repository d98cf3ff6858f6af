// What can be asked about the dependencies: `outdated`, `audit`, `licences`. Exit code 0: known and good; 1: known and
// something has to be done; 2: unknown. A registry that does not answer says nothing about vulnerabilities: unknown is
// not zero.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const UNKNOWN = 2;

/** Licences that let a closed product be run and shipped, with the notices that they ask for. */
const ACCEPTED = [
  'MIT',
  'MIT-0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'Apache-2.0 AND MIT',
  'BlueOak-1.0.0',
  'Unlicense',
  // Weak copyleft, by file: used as published.
  'MPL-2.0',
  'MPL 2.0',
  // Data; named in the documents that show it.
  'CC-BY-4.0',
  'SEE LICENSE IN DBIP-LICENSE (CC-BY-4.0)',
];
/** Packages whose licence stands in a file of theirs and not in their manifest. */
const READ_BY_A_PERSON = { unionfs: 'Unlicense' };

const commands = { outdated, audit, licences };
const command = commands[process.argv[2]];
if (command === undefined) {
  console.error(`Write one of: ${Object.keys(commands).join(', ')}.`);
  process.exit(64);
}
process.exitCode = command();

function outdated() {
  const answer = ask('outdated');
  if (answer === undefined) return UNKNOWN;
  // One without a version here is for another kind of machine.
  const found = Object.entries(answer).filter(([, { current }]) => current !== undefined);
  for (const [name, { current, latest }] of found) console.log(`${name}: ${current} here, ${latest} published`);
  console.log(`Outdated packages: ${found.length}`);
  return 0;
}

function audit() {
  const answer = ask('audit', '--omit=dev');
  const counts = answer?.metadata?.vulnerabilities;
  if (counts === undefined) return answer === undefined ? UNKNOWN : unknown('audit', 'the answer holds no counts');
  for (const [name, { severity, range }] of Object.entries(answer.vulnerabilities ?? {}))
    console.log(`${name} ${range}: ${severity}`);
  console.log(`Known vulnerabilities in production packages: ${counts.total}`);
  return counts.moderate + counts.high + counts.critical > 0 ? 1 : 0;
}

function licences() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const production = Object.entries(packages).filter(([path, one]) => path !== '' && !one.dev && !one.devOptional);
  const byLicence = new Map();
  for (const [path, { license }] of production) {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const licence = license ?? READ_BY_A_PERSON[name] ?? 'none told';
    byLicence.set(licence, (byLicence.get(licence) ?? new Set()).add(name));
  }
  const refused = [...byLicence.keys()].filter((licence) => !ACCEPTED.includes(licence));
  for (const [licence, names] of [...byLicence].sort(([a], [b]) => a.localeCompare(b)))
    console.log(`${licence}: ${[...names].sort().join(', ')}`);
  console.log(`Licences that nobody accepted: ${refused.length === 0 ? 'none' : refused.join(', ')}`);
  return refused.length === 0 ? 0 : 1;
}

/** npm's JSON; undefined, and said so, where npm could not find out. Its exit code is 1 also where it found something. */
function ask(...args) {
  const { stdout, stderr, error } = spawnSync('npm', [...args, '--json'], { cwd: ROOT, encoding: 'utf8' });
  if (error) return void unknown(args[0], error.message);
  let answer;
  try {
    answer = JSON.parse(stdout || '{}');
  } catch {
    return void unknown(args[0], 'npm printed no JSON');
  }
  // npm ends quietly with an empty answer in some failures, and tells them on the other stream.
  const failure =
    answer.error?.summary || answer.message || answer.error?.code || /npm error (?:code )?(.+)/.exec(stderr)?.[1];
  if (failure) return void unknown(args[0], failure);
  return answer;
}

function unknown(what, why) {
  console.log(
    `${what}: unknown (${String(why)
      .split('\n')[0]
      .replace(/\bhttps?:\/\/\S+/g, 'the registry')}). Unknown is not zero.`,
  );
  return UNKNOWN;
}
