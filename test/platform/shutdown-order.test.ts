import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createShutdown } from '../../platform/shutdown.ts';

const log = pino({ level: 'silent' });

function create(timeout = 1_000) {
  const codes: number[] = [];
  return { codes, shutdown: createShutdown({ log, timeout, exit: (code) => codes.push(code) }) };
}

test('closes in the opposite order of opening, one after the other, and once', async () => {
  const { codes, shutdown } = create();
  const closed: string[] = [];
  for (const name of ['database', 'worker', 'server'])
    shutdown.add(name, async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      closed.push(name);
    });
  await Promise.all([shutdown.run('SIGTERM'), shutdown.run('SIGINT')]);
  expect(closed).toEqual(['server', 'worker', 'database']);
  expect(codes).toEqual([0]);
});

test('a step that fails does not keep the next from closing, and shows in the exit code', async () => {
  const { codes, shutdown } = create();
  let closed = false;
  shutdown.add('database', () => {
    closed = true;
  });
  shutdown.add('server', () => Promise.reject(new Error('stuck')));
  await shutdown.run('SIGTERM');
  expect(closed).toBe(true);
  expect(codes).toEqual([1]);
});

test('ends the process when a step hangs past the deadline', async () => {
  const { codes, shutdown } = create(30);
  shutdown.add('server', () => new Promise(() => {}));
  void shutdown.run('SIGTERM');
  await expect.poll(() => codes).toEqual([1]);
});
