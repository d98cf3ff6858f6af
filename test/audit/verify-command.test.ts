import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog, type Log } from './log-fixture.ts';

const PROGRAM = join(import.meta.dirname, '../../cli/tradeguard.ts');

describe('tradeguard audit verify', () => {
  let log: Log;
  beforeAll(async () => {
    log = await createLog();
    await log.append('a', 'b', 'c', 'd');
    await log.seal();
  });
  afterAll(() => log.close());

  async function run(...args: string[]) {
    const child = spawn(process.execPath, [PROGRAM, 'audit', 'verify', '--data-dir', '/nowhere', ...args], {
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: log.url,
        AUDIT_KEY: log.auditKey.export().toString('base64'),
        SESSION_SECRET: randomBytes(32).toString('base64'),
        ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      },
    });
    let output = '';
    let progress = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      progress += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    return { code, output, progress };
  }

  it('ends with 0 for a sound log, shows progress, and is itself in the log', async () => {
    const { code, output, progress } = await run();
    expect(progress).toContain('4 of 4 entries');
    expect(output).toMatch(/^Sound: 4 entries; 0 published checkpoints agree\. Head [0-9a-f]{64}\.\n$/);
    expect(code).toBe(0);
    expect(await log.seal()).toBe(1);
  });

  it('[A3] ends with 1 for a tampered log and names the first bad entry', async () => {
    await log.asDatabaseAdministrator((sql) => sql(`update audit_seal set hash = sha256('x') where seq = 2`));
    const { code, output } = await run('--json');
    expect(JSON.parse(output)).toMatchObject({
      valid: false,
      firstInvalidSeq: 2,
      reason: 'column_changed',
      checked: 2,
    });
    expect(code).toBe(1);
    expect((await run()).output).toMatch(/^NOT SOUND: column_changed at entry 2\./);
  });
});
