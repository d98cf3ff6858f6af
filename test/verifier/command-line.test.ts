import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { AUDIT_KEY, checkpoint, entryText, log, type Row, signer, writeExport } from './export-fixture.ts';

const ROOT = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tradeguard-verifier-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows = log(40);
const sound = writeExport(join(folder, 'sound'), rows, { checkpoints: [checkpoint(rows, 13)] });
const changed = log(40);
(changed[11] as Row).entry = entryText(11, { ip: '1.1.1.1' });
const unsound = writeExport(join(folder, 'unsound'), changed);
const keyFile = join(folder, 'audit.key');
writeFileSync(keyFile, `${AUDIT_KEY.toString('base64')}\n`);

/** The folder of the verifier and nothing else, as an auditor takes it along. */
const alone = join(folder, 'alone');
cpSync(join(ROOT, 'verifier'), alone, { recursive: true });

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(alone, 'main.ts'), ...args], {
    encoding: 'utf8',
    cwd: folder,
    env: { PATH: process.env.PATH },
  });
  return { status, stdout, stderr };
}

describe('the folder copied alone, without packages', () => {
  it('says SOUND and ends with 0', () => {
    const { status, stdout, stderr } = run(sound);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^SOUND: 40 entries are as they were signed\.\n/);
    expect(stdout).toContain(signer().vkey);
    expect(stdout).toContain('Compare it with the one you know from elsewhere');
    expect(stdout).toContain('MACs: only the holder of the audit key can');
    expect(stdout).toContain('Entries 13 to 39 are newer than the last checkpoint');
  });

  it('says less of what it did not do once it did it', () => {
    const { status, stdout } = run(sound, '--key', signer().vkey, '--audit-key-file', keyFile, '--threads', '1');
    expect(status).toBe(0);
    expect(stdout).not.toContain('Not checked');
    expect(stdout).toContain('the MACs of entries and seals');
  });

  it('says NOT SOUND with entry and kind, and ends with 1', () => {
    const { status, stdout } = run(unsound, '--key', join(sound, 'keys.txt'));
    expect(status).toBe(1);
    expect(stdout).toMatch(/^NOT SOUND: entry_changed at entry 11: /);
  });

  it('says the same to a program', () => {
    const { status, stdout } = run('--json', unsound);
    expect(status).toBe(1);
    const verdict = JSON.parse(stdout);
    expect(verdict).toMatchObject({
      verdict: 'not_sound',
      reason: 'entry_changed',
      firstInvalidSeq: 11,
      macs: 'not_checked',
      keys: { pinned: false, vkeys: [signer().vkey] },
      exports: [{ dir: unsound, kind: 'export', from: 0, to: 40 }],
      entries: 40,
    });
    expect(JSON.parse(run('--json', sound).stdout)).toMatchObject({ verdict: 'sound', head: rows[39]?.hash });
  });

  it('with nothing to judge ends with 2', () => {
    for (const args of [
      [],
      [folder],
      [join(folder, 'nowhere')],
      [sound, '--unknown'],
      [sound, '--threads', '0'],
      [sound, '--key', keyFile],
      [sound, '--key', `${signer().vkey.slice(0, -2)}AA`],
      [sound, '--audit-key-file', join(sound, 'keys.txt')],
      [sound, '--checkpoints', join(folder, 'nowhere')],
    ]) {
      const { status, stdout, stderr } = run(...args);
      expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: '' });
      expect(stderr).toMatch(/^tradeguard-verify: /);
      expect(stderr).not.toContain(AUDIT_KEY.toString('base64'));
    }
    expect(JSON.parse(run('--json', folder).stdout)).toMatchObject({ verdict: 'error' });
  });

  it('prints how it is used', () => {
    const { status, stdout } = run('--help');
    expect(status).toBe(0);
    for (const flag of ['--key', '--audit-key-file', '--checkpoints', '--threads', '--json'])
      expect(stdout).toContain(flag);
  });
});

describe('the command', () => {
  it('is of the package, and finds itself a Node that is new enough', () => {
    const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const link = join(folder, 'tradeguard-verify');
    symlinkSync(join(ROOT, bin['tradeguard-verify']), link);
    expect(execFileSync(link, [sound], { encoding: 'utf8' })).toMatch(/^SOUND: /);
    expect(spawnSync(link, [unsound]).status).toBe(1);
  });

  it('ends with 130 when it is interrupted', async () => {
    const dir = join(folder, 'long');
    cpSync(sound, dir, { recursive: true });
    const long = gzipSync(Buffer.alloc(64 * 1024 * 1024, `${' '.repeat(99)}\n`));
    for (let part = 0; part < 64; part += 1) appendFileSync(join(dir, 'entries/entries-000000000000.ndjson.gz'), long);
    const key = join(folder, 'key-from-a-pipe');
    execFileSync('mkfifo', [key]);
    const child = spawn(process.execPath, [join(alone, 'main.ts'), dir, '--threads', '1', '--key', key]);
    const ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
    // Opens when the program reads its key: it has begun.
    await writeFile(key, signer().vkey);
    setTimeout(() => child.kill('SIGINT'), 300);
    expect(await ended).toBe(130);
  });
});
