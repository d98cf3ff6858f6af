import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Instance, type Killable, startInstance } from '../helpers/instance.ts';
import { signUpTraders, type Trader } from '../helpers/traders.ts';
import { killInFlight } from './kills.ts';
import { WINDOWS } from './orders.ts';
import { say, settings } from './settings.ts';

let instance: Instance;
let traders: Trader[];

beforeAll(async () => {
  instance = await startInstance(WINDOWS);
  traders = await signUpTraders(instance, 80);
});
afterAll(() => instance?.stop());

const CASES: { name: string; victims: Killable[] }[] = [
  { name: 'the worker', victims: ['worker'] },
  { name: 'the API', victims: ['api'] },
  { name: 'Temporal', victims: ['temporal'] },
  { name: 'PostgreSQL', victims: ['postgres'] },
  { name: 'all four at once', victims: ['worker', 'api', 'temporal', 'postgres'] },
];

test.for(CASES)(
  `kill -9 of $name, four times within ${settings.transactions} transactions: none is lost, none settles twice`,
  async ({ victims }, { signal }) => {
    const count = settings.transactions;
    const { faults, kills } = await killInFlight({
      ...{ instance, customers: traders, count, victims, every: Math.floor(count / 5), times: 4, say, signal },
    });
    expect(kills).toBe(4);
    expect(faults).toEqual([]);
  },
);
