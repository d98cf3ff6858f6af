import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { row } from '../../db/sql.ts';
import { createPublishedLog, nameOf, type PublishedLog } from './checkpoint-fixture.ts';

const PROGRAM = join(import.meta.dirname, '../../cli/tradeguard.ts');
const SECRETS = {
  SESSION_SECRET: randomBytes(32).toString('base64'),
  ENCRYPTION_KEY: randomBytes(32).toString('base64'),
};

let log: PublishedLog;
beforeAll(async () => {
  log = await createPublishedLog();
  await log.append('a', 'b', 'c');
  await log.seal();
});
afterAll(() => log.close());

async function run(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, 'audit', ...args, '--data-dir', '/nowhere'], {
    env: {
      ...SECRETS,
      PATH: process.env.PATH,
      DATABASE_URL: log.url,
      AUDIT_KEY: log.auditKey.export().toString('base64'),
      AUDIT_CHECKPOINT_DIR: log.folder,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

describe('tradeguard audit', () => {
  it('checkpoint publishes, and says when nothing is new', async () => {
    expect(await run('checkpoint')).toEqual({ code: 0, output: 'Published: 3 entries, fork 0.\n' });
    await log.seal();
    expect(await run('checkpoint')).toEqual({ code: 0, output: `Nothing new since ${nameOf(0, 3)}.\n` });
  });

  it('public-key prints what auditors pin', async () => {
    expect((await run('public-key')).output.trim()).toBe(log.signer.verifierKey(await log.origin()));
  });

  it('checkpoints lists what is published, and ends with 1 when one is not valid', async () => {
    const { code, output } = await run('checkpoints');
    expect(output).toMatch(new RegExp(`^${nameOf(0, 3)}  folder  \\S+Z  3  valid\\n$`));
    expect(code).toBe(0);
    writeFileSync(join(log.folder, nameOf(0, 2)), (await log.place.read(nameOf(0, 3))) ?? '');
    const forged = await run('checkpoints', '--json');
    expect(forged.code).toBe(1);
    expect(JSON.parse(forged.output).items).toMatchObject([
      { name: nameOf(0, 2), valid: false, reason: 'checkpoint_forged' },
      { name: nameOf(0, 3), valid: true, size: 3, restored: null },
    ]);
  });

  it('checkpoint ends with 1 and opens the incident when the log was cut off; accept-restore goes on from there', async () => {
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 1)');
      await sql('delete from audit_seal where seq >= 1');
      await sql('delete from audit_checkpoint');
    });
    const refused = await run('checkpoint');
    expect(refused.output).toMatch(/^REFUSED: tail_truncated\. .* says 3 entries, the log has 1\. .*accept-restore/);
    expect(refused.code).toBe(1);
    expect(await row(log.db.fork(), 'select cause, severity from incident')).toEqual({
      ...{ cause: 'audit_failure', severity: 'critical' },
    });
    expect((await run('accept-restore')).code).not.toBe(0);
    const accepted = await run('accept-restore', '--reason', 'the disk was lost');
    expect(accepted.output).toMatch(/^LOST: the audit entries 1 to 2 were published .* fork 1 from entry 1/);
    expect(accepted.code).toBe(0);
    expect((await run('accept-restore', '--reason', 'again')).output).toMatch(/nothing to accept/);
  });
});
