import { expect, test } from 'vitest';
import { createLatencyHistogram, summariseLatency } from '../../platform/latency-histogram.ts';
import { createRouteTimings } from '../../platform/route-timings.ts';

test('percentiles are off by 4 % at most, over six orders of magnitude and several histograms', () => {
  const [one, two] = [createLatencyHistogram(), createLatencyHistogram()];
  const values = Array.from({ length: 10_000 }, (_, n) => 0.2 * 1.0015 ** n);
  for (const [n, ms] of values.entries()) (n % 2 === 0 ? one : two).record(ms);
  const { count, p50, p95, p99, max } = summariseLatency([one, two]);
  expect(count).toBe(10_000);
  const exact = (share: number) => values[Math.ceil(share * values.length) - 1] ?? 0;
  for (const [found, share] of [
    [p50, 0.5],
    [p95, 0.95],
    [p99, 0.99],
  ] as const) {
    expect(Math.abs((found ?? 0) / exact(share) - 1)).toBeLessThan(0.041);
  }
  expect(max).toBeCloseTo(values.at(-1) ?? 0, 1);
});

test('nothing counted has no percentiles', () => {
  expect(summariseLatency([createLatencyHistogram()])).toEqual({
    count: 0,
    p50: null,
    p95: null,
    p99: null,
    max: null,
  });
});

test('what is older than five minutes is no longer lately', () => {
  let now = 1_000 * 60_000;
  const timings = createRouteTimings({ now: () => now });
  const call = (status: number) => timings.record({ method: 'GET', route: '/a', status, ms: 5 });
  call(200);
  call(500);
  now += 4 * 60_000;
  call(404);
  expect(timings.snapshot()).toMatchObject([{ lately: { count: 3, serverErrors: 1, clientErrors: 1 } }]);
  now += 60_000;
  expect(timings.snapshot()).toMatchObject([{ sinceStart: { count: 3 }, lately: { count: 1, serverErrors: 0 } }]);
});
