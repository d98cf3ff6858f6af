/**
 * Runs work in lanes: what shares a lane runs in the order in which it was added, everything else side by side, at most
 * `concurrency` at a time. A piece of work may stand in several lanes (an account's and its counterparty's) and then
 * waits for its predecessors in all of them. Since lanes are joined in one order, no two can wait for each other.
 */
export function createLanes(concurrency: number) {
  if (!Number.isInteger(concurrency) || concurrency < 1) throw new RangeError('concurrency is a whole number above 0');
  /** Enough beyond the running ones that a busy account does not leave the others idle, and no more: files are long. */
  const capacity = concurrency * 4;
  const tails = new Map<string, Promise<void>>();
  const turns: (() => void)[] = [];
  const roomWaiters: (() => void)[] = [];
  let running = 0;
  let pending = 0;
  let failure: { error: unknown } | undefined;

  async function takeTurn(): Promise<void> {
    if (running < concurrency) {
      running += 1;
      return;
    }
    await new Promise<void>((resolve) => turns.push(resolve));
  }

  function giveTurn(): void {
    const next = turns.shift();
    if (next) next();
    else running -= 1;
  }

  async function perform(predecessors: Promise<unknown>, work: () => Promise<void>): Promise<void> {
    await predecessors;
    await takeTurn();
    try {
      // After a failure nothing later may overtake what failed: the rest of the file is left for the next run.
      if (failure === undefined) await work();
    } catch (error) {
      failure ??= { error };
    } finally {
      giveTurn();
      pending -= 1;
      for (const resume of roomWaiters.splice(0)) resume();
    }
  }

  return {
    /** Adds work to its lanes and returns once there is room for more. @throws the first error that any work threw */
    async add(lanes: readonly string[], work: () => Promise<void>): Promise<void> {
      while (pending >= capacity) await new Promise<void>((resolve) => roomWaiters.push(resolve));
      if (failure !== undefined) throw failure.error;
      pending += 1;
      const done = perform(Promise.all(lanes.map((lane) => tails.get(lane))), work);
      for (const lane of lanes) {
        tails.set(lane, done);
        // A lane without a tail is forgotten, so memory follows what is in flight and not how many accounts there are.
        done.finally(() => {
          if (tails.get(lane) === done) tails.delete(lane);
        });
      }
    },

    /** Resolves when nothing is pending. @throws the first error that any work threw */
    async drain(): Promise<void> {
      while (pending > 0) await new Promise<void>((resolve) => roomWaiters.push(resolve));
      if (failure !== undefined) throw failure.error;
    },
  };
}

export type Lanes = ReturnType<typeof createLanes>;
