import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Instance, type Killable, startInstance } from '../helpers/instance.ts';
import { signUpTraders, type Trader } from '../helpers/traders.ts';
import { createDraw, type Draw } from './draw.ts';
import { faultsAfterwards, premisesOf } from './invariants.ts';
import { killIfThere } from './kills.ts';
import { place, WINDOWS } from './orders.ts';
import { say, settings } from './settings.ts';
import { startTraffic } from './traffic.ts';

const ROLES: readonly Killable[] = ['worker', 'api', 'temporal', 'postgres'];

let instance: Instance;
let traders: Trader[];

beforeAll(async () => {
  instance = await startInstance(WINDOWS);
  traders = await signUpTraders(instance, 80);
});
afterAll(() => instance?.stop());

/** One fault of what happens to processes: ended hard, asked to end, or held still for some seconds. */
async function happen(draw: Draw): Promise<string> {
  const victim = draw.oneOf(ROLES);
  switch (draw.oneOf(['kill', 'kill', 'kill two', 'end', 'freeze'])) {
    case 'kill two': {
      const other = draw.oneOf(ROLES);
      killIfThere(instance, victim);
      killIfThere(instance, other);
      return `killed ${victim} and ${other}`;
    }
    case 'end':
      killIfThere(instance, victim, 'SIGTERM');
      return `ended ${victim}`;
    case 'freeze': {
      const seconds = draw.between(2, 15);
      const { pids } = instance.endpoints();
      killIfThere(instance, victim, 'SIGSTOP');
      await sleep(seconds * 1000);
      // Meanwhile it may have been taken for dead; then there is nobody to wake.
      if (instance.endpoints().pids[victim] === pids[victim]) killIfThere(instance, victim, 'SIGCONT');
      return `held ${victim} still for ${seconds} s`;
    }
    default:
      killIfThere(instance, victim);
      return `killed ${victim}`;
  }
}

test(`${settings.minutes} minutes of random faults (seed ${settings.seed}): the books are in order afterwards`, async ({
  signal,
}) => {
  const draw = createDraw(settings.seed);
  const traffic = startTraffic(traders, 20, (order) => place(() => instance.endpoints().api, order));
  const deadline = Date.now() + settings.minutes * 60_000;
  let faults = 0;
  while (Date.now() < deadline) {
    await sleep(draw.between(1_000, 12_000), undefined, { signal });
    const what = await happen(draw);
    faults += 1;
    say(`fault ${faults}: ${what}; ${traffic.answered()} answered`);
  }
  expect(faults).toBeGreaterThan(0);
  const inAnswers = await traffic.stop();
  say(`${traffic.answered()} answered; looking at the books`);
  expect(traffic.answered()).toBeGreaterThan(0);
  expect([...inAnswers, ...(await faultsAfterwards(premisesOf(instance)))]).toEqual([]);
});
