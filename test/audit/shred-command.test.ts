import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuditExport } from '../../activities/audit-export.ts';
import { ExportFolderError, shreddingsOfExport } from '../../activities/export-shreddings.ts';
import { openKeyring } from '../../db/keyring.ts';
import { oneRow, rows, run as sql } from '../../db/sql.ts';
import { createSubjectKeys, shreddedAt } from '../../db/subject-keys.ts';
import { createUser } from '../../db/users.ts';
import { loadConfig } from '../../platform/config.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createPublishedLog, type PublishedLog } from './checkpoint-fixture.ts';

const PROGRAM = join(import.meta.dirname, '../../cli/tradeguard.ts');
const SECRETS = {
  SESSION_SECRET: randomBytes(32).toString('base64'),
  ENCRYPTION_KEY: randomBytes(32).toString('base64'),
};

let log: PublishedLog;
let folder: string;
let environment: Record<string, string>;
beforeAll(async () => {
  log = await createPublishedLog();
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-shred-'));
  environment = { ...SECRETS, DATABASE_URL: log.url, AUDIT_KEY: log.auditKey.export().toString('base64') };
});
afterAll(async () => {
  await log.close();
  rmSync(folder, { recursive: true, force: true });
});

async function shred(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, 'audit', 'shred', ...args, '--data-dir', '/nowhere'], {
    env: { ...environment, PATH: process.env.PATH, AUDIT_CHECKPOINT_DIR: log.folder },
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

/** Somebody whose account is closed. */
async function former(): Promise<string> {
  const keyring = await openKeyring(log.db, loadConfig({ NODE_ENV: 'test', ...environment }));
  const userId = await log.db.transaction((tx) =>
    createUser(
      tx,
      { audit: log.audit, subjectKeys: createSubjectKeys({ keyring }) },
      {
        ...{ email: `${uuidV7()}@example.com`, fullName: 'Test Person', timeZone: null, role: 'customer' },
        ...{ passwordHash: null, oneTime: false, confirmed: true, actor: { kind: 'operator' } },
      },
    ),
  );
  await sql(log.db.fork(), 'update app_user set disabled_at = clock_timestamp() where id = $1', [userId]);
  return userId ?? '';
}

const exportTo = async (name: string) => {
  const dir = join(folder, name);
  await createAuditExport({
    ...{ db: log.db, audit: log.audit, auditKey: log.auditKey, publisher: log.publisher },
  }).exportTo({ dir });
  return dir;
};
const erasedAt = (userId: string) => shreddedAt(log.db.fork(), userId);
const sourcesOf = async (userId: string) =>
  (
    await rows<{ source: string }>(
      log.db.fork(),
      `select entry::jsonb #>> '{details,source}' as source from audit_entry
        where action = 'subject.shredded' and subject = $1 order by id`,
      [userId],
    )
  ).map(({ source }) => source);

/** As a backup of before the erasure does it. */
async function bringKeyBack(userId: string): Promise<void> {
  await log.ownerDb.transaction(async (tx) => {
    await sql(tx, 'alter table subject_key disable trigger user');
    await sql(tx, `update subject_key set key = 'brought back', shredded_at = null, reason = null where subject = $1`, [
      userId,
    ]);
    await sql(tx, 'alter table subject_key enable trigger user');
  });
}

describe('tradeguard audit shred', () => {
  it('destroys the key of one person, once, and says since when', async () => {
    const userId = await former();
    const first = await shred('--user', userId, '--reason', 'asked for it in writing', '--json');
    expect(first.code).toBe(0);
    expect(JSON.parse(first.output)).toEqual({ userId, erasedAt: await erasedAt(userId) });
    const again = await shred('--user', userId, '--reason', 'once more');
    expect(again).toEqual({
      code: 0,
      output: `What the log holds sealed about ${userId} is unreadable since ${await erasedAt(userId)}.\n`,
    });
    expect(await sourcesOf(userId)).toEqual(['request']);
    const kept = await oneRow(log.db.fork(), 'select key, reason from subject_key where subject = $1', [userId]);
    expect(kept).toEqual({ key: null, reason: 'asked for it in writing' });
  });

  it('refuses what it cannot do, and says why', async () => {
    const userId = await former();
    await sql(log.db.fork(), 'update app_user set disabled_at = null where id = $1', [userId]);
    for (const [args, told] of [
      [['--user', userId, '--reason', 'why'], /Disable the account first/],
      [['--user', userId], /Write --reason/],
      [['--user', 'somebody', '--reason', 'why'], /no id of an account/],
      [['--user', uuidV7(), '--reason', 'why'], /no such user/],
      [[], /either --user or --from-export/],
      [['--from-export', join(folder, 'nothing')], /name a folder of/],
    ] as const) {
      const { code, output } = await shred(...args);
      expect(output).toMatch(told);
      expect(code).toBe(1);
    }
    expect(await erasedAt(userId)).toBeNull();
  });

  it('after a restore destroys again what an export says was destroyed, also what was not sealed then', async () => {
    const [sealed, pending, untouched] = [await former(), await former(), await former()];
    await shred('--user', sealed, '--reason', 'why');
    await log.seal();
    await shred('--user', pending, '--reason', 'why');
    const dir = await exportTo('after');
    for (const userId of [sealed, pending]) {
      await bringKeyBack(userId);
      expect(await erasedAt(userId)).toBeNull();
    }
    const { code, output } = await shred('--from-export', dir, '--json');
    expect({ code, ...JSON.parse(output) }).toMatchObject({ code: 0, again: 2, refused: 0 });
    for (const userId of [sealed, pending]) {
      expect(await erasedAt(userId)).not.toBeNull();
      expect(await sourcesOf(userId)).toEqual(['request', 'export']);
    }
    expect(await erasedAt(untouched)).toBeNull();
    expect(JSON.parse((await shred('--from-export', dir, '--json')).output)).toMatchObject({ again: 0 });
  });

  it('follows no export that somebody without the audit key changed', async () => {
    const [erased, victim] = [await former(), await former()];
    await shred('--user', erased, '--reason', 'why');
    await log.seal();
    const dir = await exportTo('forged');
    const [name = ''] = readdirSync(join(dir, 'entries'));
    const file = join(dir, 'entries', name);
    const text = gunzipSync(readFileSync(file)).toString('utf8').replaceAll(erased, victim);
    writeFileSync(file, gzipSync(text));
    await expect(shreddingsOfExport(dir, log.auditKey)).rejects.toThrow(ExportFolderError);
    // With a manifest that fits.
    const manifest = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8'));
    manifest.files[0].sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    writeFileSync(join(dir, 'manifest.json'), JSON.stringify(manifest));
    const { code, output } = await shred('--from-export', dir);
    expect(output).toMatch(/1 entries are not of this installation/);
    expect(code).toBe(1);
    expect(await erasedAt(victim)).toBeNull();
  });

  it('takes a damaged or incomplete export for none', async () => {
    const dir = await exportTo('damaged');
    const [name = ''] = readdirSync(join(dir, 'entries'));
    const file = join(dir, 'entries', name);
    writeFileSync(file, readFileSync(file).subarray(0, 200));
    await expect(shreddingsOfExport(dir, log.auditKey)).rejects.toThrow(ExportFolderError);
    rmSync(file);
    await expect(shreddingsOfExport(dir, log.auditKey)).rejects.toThrow(ExportFolderError);
  });
});
