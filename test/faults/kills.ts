import type { Instance, Killable } from '../helpers/instance.ts';
import { type Answer, inParallel } from '../helpers/persistent-client.ts';
import { faultsAfterwards, premisesOf } from './invariants.ts';
import { type Customer, faultsInAnswers, faultsInRepeat, ordersOf, place } from './orders.ts';

export interface Killing {
  instance: Instance;
  customers: readonly Customer[];
  /** Transactions, up to 50 of them in flight at a time. */
  count: number;
  victims: readonly Killable[];
  /** Answers after which they are killed, and then after as many again. */
  every: number;
  /** How often at most. */
  times: number;
  say?: (line: string) => void;
  signal?: AbortSignal;
}

/** kill -9 with transactions in flight. @returns what does not hold afterwards, and how often it was done */
export async function killInFlight(given: Killing): Promise<{ faults: string[]; kills: number }> {
  const { instance, customers, count, victims, every, times, say = () => {}, signal } = given;
  const base = () => instance.endpoints().api;
  const orders = ordersOf(customers, count);
  let answered = 0;
  let kills = 0;
  const answers = await inParallel(orders, 50, async (order) => {
    signal?.throwIfAborted();
    const answer = await place(base, order);
    answered += 1;
    if (answered % every === 0 && kills < times) {
      kills += 1;
      for (const victim of victims) killIfThere(instance, victim);
      say(`${answered} of ${count} answered; killed ${victims.join(', ')}`);
    }
    return answer;
  });
  const [firstOrder, firstAnswer] = [orders[0], answers[0]] as [(typeof orders)[number], Answer];
  const faults = [
    ...faultsInAnswers(answers),
    ...(await faultsInRepeat(base, firstOrder, firstAnswer)),
    ...(await faultsAfterwards(premisesOf(instance))),
  ];
  return { faults, kills };
}

/** One that is just being started again has no process to kill. @returns whether there was one */
export function killIfThere(instance: Instance, victim: Killable, signal: NodeJS.Signals = 'SIGKILL'): boolean {
  try {
    instance.signal(victim, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
