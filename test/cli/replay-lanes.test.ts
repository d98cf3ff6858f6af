import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createLanes } from '../../cli/replay-lanes.ts';

describe('lanes', () => {
  it('keep the order of whatever shares a lane, and run the rest side by side', async () => {
    const lanes = createLanes(8);
    const seen: string[] = [];
    let running = 0;
    let most = 0;
    for (let n = 0; n < 60; n += 1) {
      const account = `a${n % 3}`;
      await lanes.add([account], async () => {
        running += 1;
        most = Math.max(most, running);
        // The earlier the slower: without lanes the last would come first.
        await setTimeout((60 - n) / 10);
        seen.push(`${account}:${n}`);
        running -= 1;
      });
    }
    await lanes.drain();
    for (const account of ['a0', 'a1', 'a2']) {
      const order = seen.filter((entry) => entry.startsWith(account)).map((entry) => Number(entry.split(':')[1]));
      expect(order).toEqual(order.toSorted((a, b) => a - b));
      expect(order).toHaveLength(20);
    }
    expect(most).toBe(3);
  });

  it('let work wait for its predecessors in every lane it stands in', async () => {
    const lanes = createLanes(4);
    const seen: number[] = [];
    await lanes.add(['alice'], async () => {
      await setTimeout(20);
      seen.push(1);
    });
    await lanes.add(['bob'], async () => {
      await setTimeout(40);
      seen.push(2);
    });
    await lanes.add(['alice', 'bob'], async () => void seen.push(3));
    await lanes.add(['bob'], async () => void seen.push(4));
    await lanes.drain();
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('run no more than asked at once and hold back whoever adds too much', async () => {
    const lanes = createLanes(2);
    let running = 0;
    let most = 0;
    let finished = 0;
    let added = 0;
    for (let n = 0; n < 40; n += 1) {
      await lanes.add([`a${n}`], async () => {
        running += 1;
        most = Math.max(most, running);
        await setTimeout(1);
        running -= 1;
        finished += 1;
      });
      added += 1;
      expect(added - finished).toBeLessThanOrEqual(8);
    }
    await lanes.drain();
    expect(most).toBe(2);
    expect(finished).toBe(40);
  });

  it('start nothing after a failure and hand it to the caller', async () => {
    const lanes = createLanes(1);
    const later: number[] = [];
    await lanes.add(['a'], async () => {
      await setTimeout(5);
      throw new Error('the API is gone');
    });
    await lanes.add(['a'], async () => void later.push(1));
    await lanes.add(['b'], async () => void later.push(1));
    await expect(lanes.drain()).rejects.toThrow('the API is gone');
    await expect(lanes.add(['c'], async () => void later.push(1))).rejects.toThrow('the API is gone');
    expect(later).toEqual([]);
  });
});
