import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPublishedLog, type PublishedLog } from './checkpoint-fixture.ts';

const PROGRAM = join(import.meta.dirname, '../../cli/tradeguard.ts');

describe('tradeguard audit verify', () => {
  let log: PublishedLog;
  beforeAll(async () => {
    log = await createPublishedLog();
    await log.append('a', 'b', 'c', 'd');
    await log.seal();
  });
  afterAll(() => log.close());

  async function run(...args: string[]) {
    const child = spawn(process.execPath, [PROGRAM, 'audit', 'verify', '--data-dir', '/nowhere', ...args], {
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: log.url,
        AUDIT_CHECKPOINT_DIR: log.folder,
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

  it('verifies a range, and says which', async () => {
    const { code, output, progress } = await run('--from', '1', '--to', '3', '--threads', '2');
    expect(progress).toContain('2 of 2 entries');
    expect(output).toMatch(/^Sound: 2 entries \(1 to 2\)/);
    expect(code).toBe(0);
    expect(JSON.parse((await run('--json', '--from', '1')).output)).toMatchObject({
      ...{ valid: true, mode: 'range', from: 1, to: 5, checked: 4 },
    });
  });

  it('goes on from a checkpoint that an earlier run covered, or says that there is none', async () => {
    const first = await run('--incremental');
    expect(first.output).toMatch(/everything was verified\.\n$/);
    expect(first.code).toBe(0);
    await log.seal();
    expect(await log.publisher.publish({ trigger: 'schedule' })).toMatchObject({ status: 'published' });
    expect(JSON.parse((await run('--json', '--incremental')).output)).toMatchObject({
      valid: true,
      mode: 'full',
      from: 0,
    });
    const { output } = await run('--json', '--incremental');
    const result = JSON.parse(output);
    expect(result).toMatchObject({ valid: true, mode: 'incremental', to: result.from, checked: 0, checkpoints: 1 });
  });

  it.each([
    [['--incremental', '--from', '0'], '--incremental finds its own start'],
    [['--incremental', '--to', '3'], '--incremental finds its own start'],
    [['--from', '3', '--to', '3'], '--to is the entry behind the last one'],
    [['--to', '0'], '--to is the entry behind the last one'],
    [['--from', '-1'], 'Write the number of an entry'],
    [['--to', 'x'], 'Write the number of an entry'],
    [['--threads', '0'], 'Write a number from 1 to 99'],
    [['--to', '9999'], /The log has \d+ sealed entries/],
    [['--from', '9999'], /The log has \d+ sealed entries/],
  ])('refuses %s in a sentence', async (args, sentence) => {
    const { code, output, progress } = await run(...args);
    expect(progress).toMatch(sentence);
    expect(progress).not.toContain('    at ');
    expect(output).toBe('');
    expect(code).toBe(1);
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
