import { pino } from 'pino';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { reportedFeatures } from '../../db/feature-reports.ts';
import { run } from '../../db/sql.ts';
import { workerFeatures } from '../../domain/feature.ts';
import { createFeatureReports, type FeatureProbes } from '../../workers/features.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';
import { eventually } from '../helpers/eventually.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.close());

const ON = async () => ({ state: 'on', why: null }) as const;
const missing = async () => ({ state: 'unavailable', why: 'it is not there', detail: 'looked in 3 places' }) as const;
const probes = (backups: FeatureProbes['backups']): FeatureProbes => ({
  backups,
  restore_drills: ON,
  backup_copies: ON,
  mail: ON,
});
const shown = async () => workerFeatures(await reportedFeatures(database.db.fork()));
const backups = async () => (await shown()).find(({ name }) => name === 'backups');

/** A worker that tells every 50 ms, until `stop` or the end of the test. */
function worker(name: string, given: FeatureProbes) {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => lines.push(line) });
  const stopping = new AbortController();
  const running = createFeatureReports({ db: database.db, log, worker: name, probes: given, everyMs: 50 }).run(
    stopping.signal,
  );
  const stop = () => {
    stopping.abort();
    return running;
  };
  onTestFinished(stop);
  return { lines, stop };
}

test('without a worker nothing is known, and that is no "on"', async () => {
  expect(await shown()).toEqual(
    ['backups', 'restore_drills', 'backup_copies', 'mail'].map((name) => ({
      name,
      state: 'unavailable',
      why: 'no worker has told of it yet',
    })),
  );
});

test('what is missing is said once, looked at again, and is on as soon as it is there', async () => {
  let probe: FeatureProbes['backups'] = missing;
  let looks = 0;
  const { lines, stop } = worker(
    'one',
    probes(() => {
      looks += 1;
      return probe();
    }),
  );
  await eventually(() => looks > 3, { what: 'several looks' });
  expect(await backups()).toEqual({ name: 'backups', state: 'unavailable', why: 'it is not there' });
  const about = () => lines.map((line) => JSON.parse(line)).filter(({ feature }) => feature === 'backups');
  expect(about()).toMatchObject([{ level: 40, state: 'unavailable', detail: 'looked in 3 places' }]);
  probe = ON;
  await eventually(async () => (await backups())?.state === 'on', { what: 'backups being on' });
  expect(about()).toHaveLength(2);
  await stop();
  expect(await backups()).toMatchObject({ state: 'unavailable', why: 'no worker has told of it yet' });
});

test('of several workers the worst counts, with how many it concerns', async () => {
  worker('one', probes(ON));
  worker('two', probes(missing));
  await eventually(async () => (await reportedFeatures(database.db.fork())).length === 8);
  expect(await backups()).toEqual({
    name: 'backups',
    state: 'unavailable',
    why: 'on 1 of 2 workers: it is not there',
  });
});

test('a worker that died without a word is forgotten after three minutes', async () => {
  const tx = database.db.fork();
  await run(tx, `insert into feature_report (worker, name, state, why) values ('dead', 'mail', 'unavailable', 'gone')`);
  expect((await shown()).find(({ name }) => name === 'mail')?.why).toBe('gone');
  await run(tx, `update feature_report set seen_at = seen_at - interval '181 seconds' where worker = 'dead'`);
  expect((await shown()).find(({ name }) => name === 'mail')?.why).toBe('no worker has told of it yet');
});
