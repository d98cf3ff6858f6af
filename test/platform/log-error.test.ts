import { expect, test } from 'vitest';
import { logError } from '../../platform/log-error.ts';

const SECRET = 'somebody@example.com';

test('nothing a database error quotes is logged, at whatever depth it lies', () => {
  const database = Object.assign(new Error(`Key (email)=(${SECRET}) already exists`), {
    code: '23505',
    detail: `Failing row contains (${SECRET})`,
    table: 'app_user',
    constraint: 'app_user_email_key_key',
  });
  const driver = Object.assign(new Error(`insert into app_user values ('${SECRET}')`, { cause: database }), {
    code: '23505',
    sqlMessage: SECRET,
  });
  for (const error of [database, driver, new Error('the registration failed', { cause: driver })]) {
    expect(JSON.stringify(logError(error))).not.toContain(SECRET);
  }
  expect(logError(database)).toMatchObject({
    message: 'database error 23505',
    code: '23505',
    table: 'app_user',
    constraint: 'app_user_email_key_key',
    stack: expect.stringMatching(/^\s+at /),
  });
});

test('other errors keep their message, code, cause and stack', () => {
  const error = Object.assign(new Error('no answer', { cause: new TypeError('inner') }), {
    code: 'EPIPE',
    syscall: 'write',
  });
  expect(logError(error)).toMatchObject({
    type: 'Error',
    message: 'no answer',
    code: 'EPIPE',
    cause: { type: 'TypeError', message: 'inner' },
  });
  expect(logError('text')).toBe('text');
});
