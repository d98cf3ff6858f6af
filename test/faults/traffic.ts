import type { Answer } from '../helpers/persistent-client.ts';
import { type Customer, faultsInAnswers, ordersOf, type place } from './orders.ts';

export interface Traffic {
  /** Orders answered so far. */
  answered(): number;
  /** Sends no more, waits for the last answers. @returns what is wrong with them */
  stop(): Promise<string[]>;
}

/** Keeps so many orders in flight until it is stopped; every one is sent until it is answered. `areFunded` as in {@link ordersOf}. */
export function startTraffic(
  customers: readonly Customer[],
  inFlight: number,
  send: (order: Parameters<typeof place>[1], lane: number) => Promise<Answer>,
  areFunded = false,
): Traffic {
  const orders = ordersOf(customers, 100_000, areFunded);
  const answers: Answer[] = [];
  let next = 0;
  let isOver = false;
  const lanes = Array.from({ length: inFlight }, async (_, lane) => {
    while (!isOver) {
      const order = orders[next++];
      if (order === undefined) return;
      answers.push(await send(order, lane));
    }
  });
  const done = Promise.all(lanes);
  // Told of by `stop`; until then it is not unhandled.
  done.catch(() => {});
  return {
    answered: () => answers.length,
    async stop() {
      isOver = true;
      await done;
      return faultsInAnswers(answers);
    },
  };
}
