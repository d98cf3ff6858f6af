import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Instance, type Killable, startInstance } from '../helpers/instance.ts';
import { signUpTraders, type Trader } from '../helpers/traders.ts';
import { faultsAfterwards, premisesOf } from './invariants.ts';
import { place, WINDOWS } from './orders.ts';
import { say, settings } from './settings.ts';
import { startTraffic } from './traffic.ts';

let instance: Instance;
let traders: Trader[];

beforeAll(async () => {
  instance = await startInstance(WINDOWS);
  traders = await signUpTraders(instance, 80);
});
afterAll(() => instance?.stop());

const base = () => instance.endpoints().api;
/** A customer outwaits the outage. */
const patienceMs = settings.minutes * 60_000 + 180_000;

const CASES: { victim: Killable; name: string }[] = [
  { victim: 'temporal', name: 'Temporal' },
  { victim: 'postgres', name: 'PostgreSQL' },
  { victim: 'worker', name: 'every worker' },
];

test.for(CASES)(
  `$name away for ${settings.minutes} minutes: whoever keeps asking is answered, once`,
  async ({ victim, name }, { signal }) => {
    const traffic = startTraffic(traders, 20, (order) => place(base, order, { patienceMs }));
    await untilAnswered(traffic.answered, 20);
    // A supervisor that is held still starts nothing again.
    instance.signal('supervisor', 'SIGSTOP');
    let meanwhile = 0;
    try {
      instance.kill(victim);
      const before = traffic.answered();
      const seconds = settings.minutes * 60;
      for (let passed = 0; passed < seconds; passed += 15) {
        say(`${name} away for ${passed} of ${seconds} s; ${traffic.answered() - before} answered meanwhile`);
        await sleep(Math.min(15, seconds - passed) * 1000, undefined, { signal });
      }
      meanwhile = traffic.answered();
    } finally {
      instance.signal('supervisor', 'SIGCONT');
    }
    await untilAnswered(traffic.answered, meanwhile + 100);
    const inAnswers = await traffic.stop();
    say(`${traffic.answered()} answered; looking at the books`);
    expect([...inAnswers, ...(await faultsAfterwards(premisesOf(instance)))]).toEqual([]);
  },
);

async function untilAnswered(answered: () => number, wanted: number): Promise<void> {
  const deadline = Date.now() + 180_000;
  while (answered() < wanted) {
    if (Date.now() > deadline) throw new Error(`${answered()} of ${wanted} answered within three minutes`);
    await sleep(200);
  }
}
