import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { OpenApiDocument } from '../../api/openapi-document.ts';
import { installationConfig } from '../../cli/installation-config.ts';
import { startOwnInstance } from '../../cli/own-instance.ts';
import { openKeyring } from '../../db/keyring.ts';
import { createOrm } from '../../db/orm.ts';
import { type FollowedDocument, followed } from '../helpers/api-document.ts';
import { createHttpClient } from '../helpers/http.ts';
import { CALLERS, type Caller, createCast } from './cast.ts';
import { operationsOf } from './operations.ts';
import { type Seen, startProxy } from './proxy.ts';
import { installSchemathesis, runSchemathesis } from './schemathesis.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Options {
  seed: number;
  examples: number;
  time?: number;
  role: Caller[];
}

/** `npm run fuzz`: Schemathesis against a fresh installation, once for every role. */
async function main(options: Options, signal: AbortSignal): Promise<number> {
  const say = (line: string) => console.log(line);
  const command = await installSchemathesis(say, signal);
  say(`Seed ${options.seed}. Starting an installation of its own...`);
  const env = { RATE_LIMIT_PER_MINUTE: '1000000', SECURITY_QUESTIONS: 'additional', LOG_LEVEL: 'error' };
  const instance = await startOwnInstance({ env, signal });
  const folder = join(ROOT, '.fuzz/runs', String(options.seed));
  mkdirSync(folder, { recursive: true });
  try {
    const config = installationConfig(instance.dataDir, {});
    const db = await createOrm({ databaseUrl: config.databaseUrl, poolMax: 4, applicationName: 'fuzz' });
    try {
      const api = createHttpClient(() => instance.endpoints.api);
      const cast = await createCast({ api, db, config, keyring: await openKeyring(db, config) });
      const document = followed((await api.get<OpenApiDocument>('/api/openapi.json')).body);
      let worst = 0;
      const carriedOut = new Set<string>();
      for (const caller of options.role) {
        const proxy = await startProxy({ target: instance.endpoints.api, document, cast, caller });
        const outputFile = join(folder, `${caller}.txt`);
        const ticker = setInterval(() => say(`  ${caller}: ${progressOf(proxy.seen, document)}`), 15_000);
        const started = Date.now();
        try {
          const code = await runSchemathesis({
            ...{ command, documentUrl: proxy.documentUrl, url: proxy.url, seed: options.seed, outputFile, signal },
            ...{ examples: options.examples, maxTime: timeOf(options) },
          });
          const seconds = Math.round((Date.now() - started) / 1000);
          const verdict = code === 0 ? 'nothing found' : code === 1 ? 'FOUND SOMETHING' : `did not run (${code})`;
          say(`${caller.padEnd(10)} ${verdict} in ${seconds} s: ${progressOf(proxy.seen, document)}`);
          if (code !== 0) {
            say(indent(tailOf(outputFile)));
            say(`  Everything it said, with a curl command for each find: ${relative(ROOT, outputFile)}`);
          }
          for (const call of proxy.seen.serverErrors) say(indent(call));
          for (const name of carriedOutIn(proxy.seen)) carriedOut.add(name);
          worst = Math.max(worst, code, proxy.seen.serverErrors.length > 0 ? 1 : 0);
        } finally {
          clearInterval(ticker);
          await proxy.close();
        }
      }
      const never = operationsOf(document).filter(({ operationId }) => !carriedOut.has(operationId));
      if (never.length > 0) say(`Refused every time: ${never.map(({ operationId }) => operationId).join(', ')}`);
      const again = `npm run fuzz -- --seed ${options.seed} --examples ${options.examples}`;
      say(worst === 0 ? '0 server errors, every answer as documented.' : `Not as documented. Again: ${again}`);
      return worst;
    } finally {
      await db.close();
    }
  } finally {
    await instance.stop();
  }
}

/** The whole time is shared out among the roles. */
function timeOf({ time, role }: Options): number | undefined {
  return time === undefined ? undefined : Math.max(1, Math.floor(time / role.length));
}

/** How far it got: a fuzzer that meets nothing but refusals has tried the door alone. */
function progressOf({ answers, serverErrors }: Seen, document: FollowedDocument): string {
  const counts = { good: 0, refused: 0 };
  let all = 0;
  for (const statuses of answers.values()) {
    for (const [status, n] of statuses) {
      all += n;
      if (status < 400) counts.good += n;
      else if (status < 500) counts.refused += n;
    }
  }
  const reached = carriedOutIn({ answers }).length;
  return `${all} requests, ${counts.good} carried out, ${counts.refused} refused, ${serverErrors.length} server errors; ${reached} of ${operationsOf(document).length} operations carried one out`;
}

/** Operations that did at least once what they were asked for. */
const carriedOutIn = ({ answers }: Pick<Seen, 'answers'>): string[] =>
  [...answers].filter(([, statuses]) => [...statuses.keys()].some((status) => status < 400)).map(([name]) => name);

const tailOf = (file: string) => readFileSync(file, 'utf8').split('\n').slice(-60).join('\n');
const indent = (text: string) => text.replaceAll(/^/gm, '  ');

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Write a whole number above zero.');
  return Number(text);
}

function oneOfTheCallers(text: string, known: Caller[] | undefined): Caller[] {
  const caller = CALLERS.find((one) => one === text);
  if (caller === undefined) throw new InvalidArgumentError(`Write one of: ${CALLERS.join(', ')}.`);
  return known === undefined || known.length === CALLERS.length ? [caller] : [...known, caller];
}

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Error('Interrupted.')));
const program = new Command('npm run fuzz --')
  .description('fuzz every route as every role against the OpenAPI document (Schemathesis, needs Python 3.11)')
  .option('--seed <number>', 'draws the same values as the run that had it', wholeNumber, randomInt(1, 999_999_999))
  .option('--examples <number>', 'cases an operation and phase', wholeNumber, 20)
  .option('--time <seconds>', 'draws no longer than this, all roles together', wholeNumber)
  .option('--role <caller>', 'of this caller alone; may be repeated', oneOfTheCallers, [...CALLERS])
  .action(async (options: Options) => {
    process.exitCode = await main(options, stop.signal);
  });
program.parseAsync().catch((error: Error) => {
  console.error(stop.signal.aborted ? 'Interrupted; what was started is gone.' : error.message);
  process.exitCode = stop.signal.aborted ? 130 : 70;
});
