import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPace } from '../../web/live/pace.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('live reads', () => {
  test('happen at once, and once more after the spacing where something came in between: nothing is forgotten', () => {
    const reads: string[] = [];
    const pace = createPace((name: string) => reads.push(`${name} ${Date.now() - begun}`), 1_000);
    const begun = Date.now();
    pace.ask(['reviews', 'incidents']);
    expect(reads).toEqual(['reviews 0', 'incidents 0']);
    vi.advanceTimersByTime(300);
    for (let n = 0; n < 50; n += 1) pace.ask(['reviews']);
    vi.advanceTimersByTime(5_000);
    expect(reads).toEqual(['reviews 0', 'incidents 0', 'reviews 1000']);
    pace.ask(['reviews']);
    expect(reads.at(-1)).toBe('reviews 5300');
  });

  test('stay below 30 a minute however many events come', () => {
    let reads = 0;
    const pace = createPace(() => {
      reads += 1;
    });
    for (let second = 0; second < 60; second += 1) {
      pace.ask(['reviews']);
      vi.advanceTimersByTime(1_000);
    }
    expect(reads).toBeGreaterThan(20);
    expect(reads).toBeLessThan(28);
  });

  test('end with the page', () => {
    let reads = 0;
    const pace = createPace(() => {
      reads += 1;
    });
    pace.ask(['reviews']);
    pace.ask(['reviews']);
    pace.stop();
    vi.advanceTimersByTime(60_000);
    expect(reads).toBe(1);
  });
});
