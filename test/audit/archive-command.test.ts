import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArchiveError } from '../../activities/archive-folder.ts';
import { rows, run } from '../../db/sql.ts';
import { signNote } from '../../security/signed-note.ts';
import { eventually } from '../helpers/eventually.ts';
import { type ColdLog, createColdLog, monthAgo } from './cold-fixture.ts';

const COUNT = 300;
const tableOf = (month: string) => `audit_entry_${month.replace('-', '')}`;

let log: ColdLog;
beforeEach(async () => {
  log = await createColdLog(COUNT);
});
afterEach(() => log.close());

/** Another session that reads a table and does not let go. */
async function holdTable(name: string) {
  const client = await log.connect(log.ownerUrl);
  await client.query('begin');
  await client.query(`lock table ${name} in access share mode`);
  return { release: () => client.query('rollback') };
}

const isThere = async (month: string) => (await log.tables()).includes(tableOf(month));

describe('tradeguard audit archive and restore-month', () => {
  it('take a month out, verify without it, and bring it back', async () => {
    const out = log.folderOf('out');
    const archived = await log.startCommand('archive', '--month', log.older, '--out', out).ended;
    expect(archived.err).toContain(`${COUNT + 1} of ${COUNT + 1}`);
    expect(archived.out).toContain(`${log.older} is in cold storage: ${COUNT} entries (of 0 to ${COUNT})`);
    expect(archived.code).toBe(0);
    await log.seal();
    const verified = await log.startCommand('verify', '--archive', out, '--json').ended;
    expect(JSON.parse(verified.out)).toMatchObject({ valid: true, archived: COUNT });
    expect((await log.startCommand('verify').ended).out).toContain(
      `${COUNT} of them in cold storage, 1 more wait for their seal; 1 published`,
    );
    const listed = await log.startCommand('archives').ended;
    expect(listed.out).toMatch(new RegExp(`^${log.older}  [0-9a-f]{64}  ${COUNT} entries`));
    // Once more says that it is done, and changes nothing.
    const again = await log.startCommand('archive', '--month', log.older, '--out', out, '--json').ended;
    expect(JSON.parse(again.out)).toMatchObject({ already: true, entries: COUNT });
    expect(again.code).toBe(0);
    const restored = await log.startCommand('restore-month', '--from', out).ended;
    expect(restored.out).toContain(`${log.older} is in the database again`);
    expect(restored.code).toBe(0);
    expect(await log.check()).toMatchObject({ valid: true, archived: 0 });
  });

  it('killed between the folder and the drop, nothing is lost, and the next run goes on with the folder', async () => {
    const out = log.folderOf('out');
    const reader = await holdTable(tableOf(log.older));
    const { child, ended } = log.startCommand('archive', '--month', log.older, '--out', out);
    await eventually(() => existsSync(out), { what: 'the folder', timeoutMs: 20_000 });
    // It waits for the reader, with everything written.
    const waits = `select count(*) as n from audit_archive_part`;
    await eventually(async () => Number((await rows<{ n: string }>(log.db.fork(), waits))[0]?.n) > 0);
    child.kill('SIGKILL');
    await ended;
    expect(await isThere(log.older)).toBe(true);
    expect(await log.check()).toMatchObject({ valid: true, archived: 0 });
    const manifest = readFileSync(join(out, 'manifest.json'), 'utf8');
    await reader.release();
    const next = await log.startCommand('archive', '--month', log.older, '--out', out).ended;
    expect(next.code).toBe(0);
    expect(readFileSync(join(out, 'manifest.json'), 'utf8')).toBe(manifest);
    expect(await isThere(log.older)).toBe(false);
    expect(await log.check('out')).toMatchObject({ valid: true, archived: COUNT });
  });

  it('stopped with Ctrl-C leaves the database as it was', async () => {
    const reader = await holdTable(tableOf(log.older));
    const { child, ended } = log.startCommand('archive', '--month', log.older, '--out', log.folderOf('out'));
    await eventually(() => existsSync(log.folderOf('out')), { what: 'the folder', timeoutMs: 20_000 });
    child.kill('SIGINT');
    const { code, err } = await ended;
    expect(err).toContain('Stopped; the database is as it was.');
    expect(code).toBe(130);
    await reader.release();
    expect(await isThere(log.older)).toBe(true);
    expect(await log.entriesOf('audit.month_archived')).toEqual([]);
    expect(await log.check()).toMatchObject({ valid: true, archived: 0 });
  });

  it('gives up on a reader that does not let go, and says what to do', async () => {
    const reader = await holdTable(tableOf(log.older));
    await expect(log.archive(log.older, 'out', { patienceMs: 500 })).rejects.toThrow(
      /Run the same command again later/,
    );
    expect(await isThere(log.older)).toBe(true);
    await reader.release();
    expect(await log.archive(log.older, 'out')).toMatchObject({ entries: COUNT });
  });

  it('runs once at a time', async () => {
    const reader = await holdTable(tableOf(log.older));
    const first = log.archive(log.older, 'out');
    await eventually(() => existsSync(log.folderOf('out')));
    await expect(log.archive(log.younger, 'other')).rejects.toThrow(/wait until it has ended/);
    await reader.release();
    await first;
  });
});

describe('a month is not archived', () => {
  const refused = async (month: string, name: string, message: RegExp) => {
    const asked = log.archive(month, name);
    await expect(asked).rejects.toThrow(ArchiveError);
    await expect(asked).rejects.toThrow(message);
    expect(await log.entriesOf('audit.month_archived')).toEqual([]);
  };

  it('while it is young', async () => {
    for (const ago of [-1, 0, 1]) await refused(monthAgo(ago).month, 'out', /too young: months before/);
  });

  it('that there is not, or is empty', async () => {
    await refused('2001-01', 'out', /no entries of 2001-01/);
    const empty = monthAgo(3).month;
    await log.makeTable(empty);
    await refused(empty, 'out', /no entries/);
  });

  it('with entries that no seal covers, or no checkpoint', async () => {
    await log.appendAt(monthAgo(5).start + 1_000, 'late');
    await refused(log.older, 'out', /1 entries of .* are not sealed yet/);
    await log.seal();
    // Sealed behind everything else, so the month reaches to the end of the log.
    await refused(log.older, 'out', /No published checkpoint covers entry 34\d yet/);
    await log.publisher.publish({ trigger: 'request' });
    expect(await log.archive(log.older, 'out')).toMatchObject({ entries: COUNT + 1 });
    expect(await log.check('out')).toMatchObject({ valid: true, archived: COUNT + 1 });
  });

  it.each([
    [
      'its text',
      `update audit_entry set entry = replace(entry, '"success"', '"failure"') where id = $1`,
      'entry_changed',
    ],
    ['a column', `update audit_entry set actor = 'somebody' where id = $1`, 'column_changed'],
    ['its MAC', `update audit_entry set entry_hmac = sha256('x') where id = $1`, 'entry_forged'],
  ])('when %s was changed', async (_, statement, reason) => {
    const [entry] = await rows<{ id: string }>(log.db.fork(), 'select entry_id as id from audit_seal where seq = 21');
    await log.asDatabaseAdministrator((sql) => sql(statement, [entry?.id]));
    await refused(log.older, 'out', new RegExp(`not sound: ${reason} at entry 21`));
    expect(existsSync(log.folderOf('out'))).toBe(false);
  });

  it('into a folder that has something in it', async () => {
    mkdirSync(log.folderOf('full'));
    writeFileSync(join(log.folderOf('full'), 'a'), '');
    await refused(log.older, 'full', /has something in it/);
  });

  it('into the folder of another month, nor a second time', async () => {
    await log.archive(log.younger, 'out');
    await expect(log.archive(log.older, 'out')).rejects.toThrow(/not the finished archive of/);
    await expect(log.archive(log.younger, 'else')).rejects.toThrow(/in cold storage already/);
  });

  it('while a backup runs', async () => {
    await run(
      log.ownerDb.fork(),
      `insert into backup_run (id, trigger, status, phase) values (gen_random_uuid(), 'manual', 'running', 'dump')`,
    );
    await refused(log.older, 'out', /backup runs/);
  });

  it("by the application's role", async () => {
    for (const statement of [
      `alter table audit_entry detach partition ${tableOf(log.older)}`,
      `drop table ${tableOf(log.older)}`,
      `insert into audit_archive (number, kind, month, from_seq, to_seq, first_id, end_id, entries, manifest_sha256)
       values (1, 'archived', '2026-01', 0, 1, gen_random_uuid(), gen_random_uuid(), 1, sha256('x'))`,
      `insert into audit_archive_part values (0, 0, '{0}', '{0}', '{0}')`,
    ]) {
      await expect(run(log.db.fork(), statement), statement).rejects.toThrow(/must be owner|permission denied/);
    }
    await expect(run(log.ownerDb.fork(), 'delete from audit_archive')).resolves.toBe(0);
    await log.archive(log.older, 'out');
    for (const table of ['audit_archive', 'audit_archive_part']) {
      await expect(run(log.ownerDb.fork(), `delete from ${table}`)).rejects.toThrow(/append-only/);
      await expect(run(log.ownerDb.fork(), `truncate ${table}`)).rejects.toThrow(/append-only/);
    }
  });
});

it('a folder that is signed, and does not hold what the database does, is not gone on with', async () => {
  const reader = await holdTable(tableOf(log.older));
  await expect(log.archive(log.older, 'out', { patienceMs: 0 })).rejects.toThrow(/again later/);
  await reader.release();
  // As a fault of the writer, or of the disk before the digest was made, would have left it.
  const file = join(log.folderOf('out'), 'entries/entries-000000000000.ndjson.gz');
  const changed = gzipSync(gunzipSync(readFileSync(file)).toString('utf8').replace('"thing-33"', '"thing-34"'));
  writeFileSync(file, changed);
  const path = join(log.folderOf('out'), 'manifest.json');
  const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
  const manifest = readFileSync(path, 'utf8').replace(/("sha256":")[0-9a-f]{64}/, `$1${sha256(changed)}`);
  writeFileSync(path, manifest);
  const origin = await log.origin();
  const statement = `tradeguard-export/v1\n${origin}\n${sha256(manifest)}\n`;
  const { privateKey } = log.signer;
  writeFileSync(join(log.folderOf('out'), 'manifest.note'), signNote(statement, { name: origin, privateKey }));
  await expect(log.archive(log.older, 'out')).rejects.toThrow(/does not hold what the database has at entry 33/);
  expect(await isThere(log.older)).toBe(true);
});

describe('an archive folder that was changed', () => {
  const FILE = 'entries/entries-000000000000.ndjson.gz';
  const edit = (change: (lines: string[]) => string[]) => {
    const path = join(log.folderOf('out'), FILE);
    const lines = gunzipSync(readFileSync(path)).toString('utf8').split('\n').slice(0, -1);
    writeFileSync(
      path,
      gzipSync(
        change(lines)
          .map((line) => `${line}\n`)
          .join(''),
      ),
    );
  };
  const onLine = (at: number, change: (line: string) => string) =>
    edit((lines) => lines.map((line, index) => (index === at ? change(line) : line)));
  beforeEach(() => log.archive(log.older, 'out'));

  it.each([
    ['a text', (line: string) => line.replace('test.happened', 'test.harmless')],
    ['an entry MAC', (line: string) => line.replace(/"entryHmac":"../, '"entryHmac":"00')],
    ['a column', (line: string) => line.replace('"outcome":"success","severity"', '"outcome":"failure","severity"')],
    ['a hash', (line: string) => line.replace(/"hash":"../, '"hash":"00')],
    ['a transaction', (line: string) => line.replace(/"xid":"\d+"/, '"xid":"1"')],
    ['what is no JSON', () => 'nonsense'],
  ])('in %s is named, and not brought back', async (_, change) => {
    onLine(17, change);
    expect(await log.check('out')).toMatchObject({ valid: false, reason: 'archive_changed', firstInvalidSeq: 17 });
    await expect(log.restoreMonth('out')).rejects.toThrow(/not what was archived at entry 17: take another copy/);
    expect(await isThere(log.older)).toBe(false);
    // The database knows nothing of it.
    expect(await log.check()).toMatchObject({ valid: true, archived: COUNT });
  });

  it('by a line that is missing, or cut short, is named', async () => {
    edit((lines) => lines.toSpliced(30, 1));
    expect(await log.check('out')).toMatchObject({ valid: false, reason: 'archive_changed', firstInvalidSeq: 30 });
    const path = join(log.folderOf('out'), FILE);
    writeFileSync(path, readFileSync(path).subarray(0, 2_000));
    expect(await log.check('out')).toMatchObject({ valid: false, reason: 'archive_changed' });
    rmSync(path);
    await expect(log.restoreMonth('out')).rejects.toThrow();
  });

  it('only in how it is compressed is named as well', async () => {
    const path = join(log.folderOf('out'), FILE);
    writeFileSync(path, gzipSync(gunzipSync(readFileSync(path)), { level: 1 }));
    expect(await log.check('out')).toMatchObject({ valid: false, reason: 'archive_changed', firstInvalidSeq: 0 });
    await expect(log.restoreMonth('out')).rejects.toThrow(/not what was archived/);
  });

  it('in its manifest, or is none of this log, is refused', async () => {
    const path = join(log.folderOf('out'), 'manifest.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"v":1', '"v":2'));
    await expect(log.check('out')).rejects.toThrow(/not signed by this log/);
    await expect(log.restoreMonth('nowhere')).rejects.toThrow(/cannot be read/);
    expect(readdirSync(log.folderOf('.'))).toEqual(['out']);
  });

  it('no longer counts when the month is in the database again', async () => {
    await log.restoreMonth('out');
    await expect(log.check('out')).rejects.toThrow(/not the archive of a month in cold storage/);
    await expect(log.restoreMonth('out')).rejects.toThrow(/not the archive of a month in cold storage/);
  });
});
