import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openKeyring } from '../../db/keyring.ts';
import { rows } from '../../db/sql.ts';
import { loadConfig } from '../../platform/config.ts';
import { type ApiMember, createFleet, type Fleet, type Member } from '../helpers/fleet.ts';
import { createPeople } from '../helpers/people.ts';
import { createTrading, type Trader } from '../helpers/trading.ts';
import { createDraw } from './draw.ts';
import { faultsAfterwards, type Premises } from './invariants.ts';
import { place, WINDOWS } from './orders.ts';
import { say, settings } from './settings.ts';
import { startTraffic } from './traffic.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.js', import.meta.url));
const { QUARANTINE_REVIEW_WINDOW, STEP_UP_TIMEOUT } = WINDOWS;

let fleet: Fleet;
let customers: Trader[];

beforeAll(async () => {
  fleet = await createFleet({ apis: 2, workers: 2, env: () => ({ QUARANTINE_REVIEW_WINDOW, STEP_UP_TIMEOUT }) });
  const config = loadConfig(fleet.env);
  const { db } = fleet.database;
  const { api } = fleet.apis[0] as ApiMember;
  const people = createPeople({ api, db, config, keyring: await openKeyring(db, config) });
  const trading = createTrading({ api, db, people });
  customers = [];
  for (let n = 0; n < 40; n++) customers.push(await trading.trader('2000.00'));
});
afterAll(() => fleet?.stop());

function premises(): Premises {
  return {
    sql: (text, params = []) => rows(fleet.database.ownerDb.fork(), text, params),
    mailDir: fleet.env.MAIL_DIR,
    async verifyAudit() {
      const child = spawn(process.execPath, [BIN, 'audit', 'verify'], { env: fleet.processEnv });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      }
      const [code] = (await once(child, 'close')) as [number | null];
      return { code: code ?? -1, output };
    },
  };
}

test(`two APIs and two workers, one of them killed again and again for ${settings.minutes} minutes (seed ${settings.seed}): the books are in order`, async ({
  signal,
}) => {
  const draw = createDraw(settings.seed);
  const apis: ApiMember[] = [...fleet.apis];
  const workers: Member[] = [...fleet.workers];
  const send: Parameters<typeof startTraffic>[2] = (order, lane) => {
    const base = () => apis[lane % apis.length]?.url ?? '';
    return place(base, order, { headers: { 'X-Forwarded-Proto': 'https' } });
  };
  const traffic = startTraffic(customers, 20, send, true);
  const deadline = Date.now() + settings.minutes * 60_000;
  let kills = 0;
  while (Date.now() < deadline) {
    await sleep(draw.between(500, 4_000), undefined, { signal });
    kills += 1;
    const at = draw.between(0, 1);
    if (draw.oneOf(['api', 'worker']) === 'api') {
      await apis[at]?.kill();
      say(`kill ${kills}: ${apis[at]?.name}; ${traffic.answered()} answered`);
      apis[at] = await fleet.startApi(2 + kills);
    } else {
      await workers[at]?.kill();
      say(`kill ${kills}: ${workers[at]?.name}; ${traffic.answered()} answered`);
      workers[at] = await fleet.startWorker(2 + kills);
    }
  }
  expect(kills).toBeGreaterThan(0);
  const inAnswers = await traffic.stop();
  say(`${traffic.answered()} answered; looking at the books`);
  expect(traffic.answered()).toBeGreaterThan(0);
  expect([...inAnswers, ...(await faultsAfterwards(premises()))]).toEqual([]);
});
