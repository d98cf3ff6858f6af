import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

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
