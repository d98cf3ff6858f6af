import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuditExport } from '../../activities/audit-export.ts';
import { ExportError } from '../../activities/export-files.ts';
import { createPublishedLog } from './checkpoint-fixture.ts';

const VERIFIER = join(import.meta.dirname, '../../verifier/main.ts');

describe('an export of the audit log', () => {
  let log: Awaited<ReturnType<typeof createPublishedLog>>;
  let folder: string;
  beforeEach(async () => {
    log = await createPublishedLog();
    folder = mkdtempSync(join(tmpdir(), 'tradeguard-export-'));
    await log.grow(...Array.from({ length: 300 }, (_, n) => n));
    await log.grow('é', '\u{1f600}', '"quoted"\n');
  });
  afterEach(async () => {
    await log.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const exportTo = (name: string, range: { from?: number; to?: number } = {}) =>
    createAuditExport({
      ...{ db: log.db, audit: log.audit, auditKey: log.auditKey, publisher: log.publisher },
    }).exportTo({ dir: join(folder, name), ...range });

  /** As an auditor runs it: another program, which has the folder and nothing else. */
  async function verify(names: string[], ...flags: string[]) {
    const child = spawn(process.execPath, [VERIFIER, ...names.map((name) => join(folder, name)), ...flags, '--json']);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    return {
      code,
      ...(JSON.parse(output) as { verdict: string; reason: string | null; firstInvalidSeq: number | null }),
    };
  }

  it('is sound to the verifier, with the key pinned and every MAC checked', async () => {
    await log.append('not sealed yet');
    const exported = await exportTo('out');
    expect(exported).toMatchObject({ from: 0, to: 304, checkpoints: 2, verification: { valid: true } });
    const keyFile = join(folder, 'audit-key');
    writeFileSync(keyFile, log.auditKey.export().toString('base64'));
    const verdict = await verify(['out'], '--key', exported.verifierKey, '--audit-key-file', keyFile);
    expect(verdict).toMatchObject({ code: 0, verdict: 'sound', macs: 'checked', keys: { pinned: true } });
    expect(readdirSync(join(folder, 'out', 'checkpoints'))).toHaveLength(2);
    expect(statSync(join(folder, 'out', 'manifest.json')).mode & 0o077).toBe(0);
    const { pending } = JSON.parse(readFileSync(join(folder, 'out', 'manifest.json'), 'utf8'));
    // The record of the second checkpoint waits as well.
    expect(pending).toMatchObject([{ genuine: true }, { genuine: true }]);
  });

  it('is itself in the log', async () => {
    const { manifestSha256 } = await exportTo('out');
    expect(await log.entriesOf('audit.exported')).toMatchObject([{ from: 0, to: 304, manifestSha256 }]);
  });

  it('in parts that adjoin is one log, and a part alone is sound as well', async () => {
    await exportTo('first', { to: 100 });
    await exportTo('second', { from: 100, to: 257 });
    await exportTo('third', { from: 257 });
    expect(await verify(['second'])).toMatchObject({ code: 0, verdict: 'sound' });
    expect(await verify(['third', 'first', 'second'])).toMatchObject({ code: 0, verdict: 'sound' });
    expect(await verify(['first', 'third'])).toMatchObject({ code: 1, reason: 'range_missing' });
  });

  it('of a log in which an entry was changed says so twice: by its hashes, and signed by the exporter', async () => {
    await log.asDatabaseAdministrator((sql) =>
      sql(`update audit_entry set entry = replace(entry, '"success"', '"failure"')
        where id = (select entry_id from audit_seal where seq = 41)`),
    );
    const { verification } = await exportTo('out');
    expect(verification).toMatchObject({ valid: false, firstInvalidSeq: 41, reason: 'entry_changed' });
    expect(await verify(['out'])).toMatchObject({ code: 1, reason: 'entry_changed', firstInvalidSeq: 41 });
  });

  it('of a log with a forged entry, which hashes cannot show, has the finding of the exporter', async () => {
    await log.asDatabaseAdministrator((sql) =>
      sql(`insert into audit_entry (id, entry, entry_hmac, at, action, actor, subject, outcome, severity)
        select f.id, replace(e.entry, e.id::text, f.id::text), e.entry_hmac, e.at, e.action, e.actor, e.subject, e.outcome, e.severity
          from audit_entry e, (select gen_random_uuid() as id) f
         where e.id = (select entry_id from audit_seal where seq = 5)`),
    );
    await log.seal();
    await exportTo('out');
    expect(await verify(['out'])).toMatchObject({ code: 1, reason: 'entry_forged', firstInvalidSeq: 305 });
  });

  it('of a log whose tail was cut off is held against the checkpoints', async () => {
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 290)');
      await sql('delete from audit_seal where seq >= 290');
    });
    await exportTo('out');
    expect(await verify(['out'])).toMatchObject({ code: 1, reason: 'tail_truncated', firstInvalidSeq: 290 });
  });

  it('is not made over something else, nor of entries that there are not, and leaves nothing half done', async () => {
    mkdirSync(join(folder, 'full'));
    writeFileSync(join(folder, 'full', 'a'), '');
    await expect(exportTo('full')).rejects.toThrow(ExportError);
    await expect(exportTo('out', { to: 1_000 })).rejects.toThrow(/0 to 303/);
    await expect(exportTo('out', { from: 9, to: 8 })).rejects.toThrow(ExportError);
    const stop = AbortSignal.abort(new Error('stopped'));
    const stopped = createAuditExport({
      ...{ db: log.db, audit: log.audit, auditKey: log.auditKey, publisher: log.publisher },
    }).exportTo({ dir: join(folder, 'out'), signal: stop });
    await expect(stopped).rejects.toThrow('stopped');
    expect(existsSync(join(folder, 'out'))).toBe(false);
    expect(existsSync(join(folder, 'out.unfinished'))).toBe(false);
  });

  it('takes the place of one whose process died in the middle', async () => {
    mkdirSync(join(folder, 'out.unfinished', 'entries'), { recursive: true });
    writeFileSync(join(folder, 'out.unfinished', 'entries', 'entries-000000000000.ndjson.gz'), 'half of one');
    writeFileSync(join(folder, 'out.unfinished', 'entries', 'entries-000000065536.ndjson.gz'), 'of another log');
    await exportTo('out');
    expect(existsSync(join(folder, 'out.unfinished'))).toBe(false);
    expect(readdirSync(join(folder, 'out', 'entries'))).toEqual(['entries-000000000000.ndjson.gz']);
    expect(await verify(['out'])).toMatchObject({ code: 0, verdict: 'sound' });
  });
});
