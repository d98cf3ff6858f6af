import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

const loggerUrl = new URL('../../platform/logger.ts', import.meta.url).href;

/** What a process writes that logs this object. */
function logged(object: unknown): Record<string, never> {
  const script = `import { createLogger } from '${loggerUrl}';
    createLogger({ level: 'info', name: 'test' }).info(${JSON.stringify(object)}, 'said');`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

test.each(['password', 'newPassword', 'token', 'secret', 'answers', 'otpauthUri', 'sessionSecret', 'databaseUrl'])(
  '%s is never written, on its own or below one or two others',
  (name) => {
    const line = JSON.stringify(logged({ [name]: 'hunter2', a: { [name]: 'hunter2', b: { [name]: 'hunter2' } } }));
    expect(line).not.toContain('hunter2');
    expect(line.match(/\[redacted\]/g)).toHaveLength(3);
  },
);

test.each(['authorization', 'cookie', 'x-signature', 'x-csrf-token'])('the header %s is never written', (name) => {
  const headers = { [name]: 'hunter2', host: 'shown' };
  const line = JSON.stringify(logged({ headers, req: { headers } }));
  expect(line).not.toContain('hunter2');
  expect(line.match(/shown/g)).toHaveLength(2);
});

test('a code is hidden in a body and stays readable in an error', () => {
  const line = logged({ body: { code: '123456' }, req: { body: { code: '123456' } }, err: { code: '23505' } });
  expect(line).toMatchObject({
    body: { code: '[redacted]' },
    req: { body: { code: '[redacted]' } },
    err: { code: '23505' },
  });
});

test('a line is one JSON object with level, name and an ISO time', () => {
  expect(logged({})).toMatchObject({
    level: 'info',
    name: 'test',
    msg: 'said',
    time: expect.stringMatching(/^\d{4}-.*Z$/),
  });
});

test('a process whose log nobody reads any more goes on, and ends when it is told to', async () => {
  const code = `
    import { createLogger } from '${loggerUrl}';
    const log = createLogger({ level: 'info', name: 'test' });
    log.info('one');
    process.stdin.once('data', () => { log.info('two'); log.info('three'); process.exit(7); });
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  child.stdin.write('go on');
  const [status] = await Promise.race([once(child, 'exit'), sleep(10_000, ['still running'])]);
  expect(status).toBe(7);
});
