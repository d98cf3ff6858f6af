import { createSecretKey, randomBytes } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { remainingScratches } from '../../db/scratch-database.ts';
import { oneRow, rows, run } from '../../db/sql.ts';
import { openBackup } from '../../security/backup-encryption.ts';
import { createKek } from '../../security/kek.ts';
import { administrate, withDatabase } from '../helpers/template.ts';
import { type BackupFixture, createBackupFixture } from './backup-fixture.ts';

let fixture: BackupFixture;
beforeAll(async () => {
  fixture = await createBackupFixture();
});
afterAll(() => fixture.dispose());

const count = async (table: string) =>
  Number((await oneRow<{ n: string }>(fixture.ownerDb.fork(), `select count(*) as n from ${table}`)).n);

describe('a backup', () => {
  it('[B4] says in its manifest what it holds: sizes, hashes, rows of every table, end of the audit log, versions', async () => {
    const manifest = await fixture.backup();
    const file = readFileSync(join(fixture.settings.backupDir, manifest.file.name));
    expect(manifest.file.bytes).toBe(file.length);
    expect(manifest.tables['public.app_user']).toBe(await count('app_user'));
    const months = Object.entries(manifest.tables).filter(([name]) => name.startsWith('public.audit_entry_'));
    expect(months.reduce((sum, [, rows]) => sum + rows, 0)).toBe(await count('audit_entry'));
    expect(await count('audit_entry')).toBeGreaterThan(30);
    expect(manifest.migrations).toContain('0005-audit');
    expect(manifest.audit.seq).toBe((await count('audit_seal')) - 1);
    expect(manifest.audit.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(manifest.postgres.server).toMatch(/^\d+/);
    expect(Date.now() - Date.parse(manifest.createdAt)).toBeLessThan(60_000);
    expect(Object.keys(manifest.tables).some((name) => /request_nonce_\d/.test(name))).toBe(false);
  });

  it('[B2] is smaller than its dump, since it is compressed before it is encrypted', async () => {
    const manifest = await fixture.backup();
    expect(manifest.file.bytes).toBeLessThan(manifest.dump.bytes / 2);
    const file = createReadStream(join(fixture.settings.backupDir, manifest.file.name));
    const { masterKey } = fixture.settings;
    const raw = masterKey.kind === 'key' ? masterKey.key.export() : Buffer.alloc(0);
    const opened = openBackup(createKek({ name: 'master', secret: { raw } }), manifest.id, file, manifest.key.wrapped);
    const compressed = await buffer(opened);
    // RFC 1952: a gzip file begins so.
    expect(compressed.subarray(0, 3).toString('hex')).toBe('1f8b08');
    const dump = gunzipSync(compressed);
    expect(dump.subarray(0, 5).toString()).toBe('PGDMP');
    expect(dump.length).toBe(manifest.dump.bytes);
  });

  it('[B8] shows nothing of its content, and only its owner may read the files', async () => {
    const manifest = await fixture.backup();
    const path = join(fixture.settings.backupDir, manifest.file.name);
    const file = readFileSync(path);
    for (const word of ['Ada Lovelace', 'app_user', 'PGDMP']) expect(file.includes(word)).toBe(false);
    expect(statSync(path).mode & 0o077).toBe(0);
    expect(statSync(fixture.settings.backupDir).mode & 0o077).toBe(0);
  });

  it('holds one moment, whatever is written meanwhile', async () => {
    const before = await count('app_user');
    let seen = false;
    const id = await fixture.begin('backup');
    const manifest = await fixture.runner.perform(id, {
      ...fixture.idle(),
      onProgress: (phase) => {
        if (phase === 'dump' && !seen) {
          seen = true;
          void fixture.addPeople(7);
        }
      },
    });
    expect(seen).toBe(true);
    await expect.poll(() => count('app_user')).toBe(before + 7);
    expect(manifest.tables['public.app_user']).toBe(before);
    await run(fixture.db.fork(), `update backup_run set status = 'succeeded', finished_at = now() where id = $1`, [id]);
    const drillId = await fixture.begin('restore_drill');
    await expect(fixture.runner.drill(drillId, fixture.idle())).resolves.toMatchObject({
      tables: Object.keys(manifest.tables).length,
    });
    await run(fixture.db.fork(), `update restore_drill set status = 'succeeded', finished_at = now()`);
  });

  it('made twice under one id is made once', async () => {
    const id = await fixture.begin('backup');
    const first = await fixture.runner.perform(id, fixture.idle());
    expect(await fixture.runner.perform(id, fixture.idle())).toEqual(first);
    expect(readdirSync(fixture.settings.backupDir).filter((name) => name.startsWith(id))).toHaveLength(2);
    await run(fixture.db.fork(), `update backup_run set status = 'succeeded', finished_at = now() where id = $1`, [id]);
  });

  it('made by two attempts at once is one backup with its own file', async () => {
    const id = await fixture.begin('backup');
    const [a, b] = await Promise.all([
      fixture.runner.perform(id, fixture.idle()),
      fixture.runnerWith().perform(id, fixture.idle()),
    ]);
    expect(a).toEqual(b);
    expect(
      readdirSync(fixture.settings.backupDir)
        .filter((name) => name.startsWith(id))
        .sort(),
    ).toEqual([a.file.name, `${id}.manifest.json`].sort());
    await fixture.runner.archive.validate(a, fixture.idle());
    await run(fixture.db.fork(), `update backup_run set status = 'succeeded', finished_at = now() where id = $1`, [id]);
  });
});

describe('a restore into an empty database', () => {
  it('gives back every row, and the schema works: what is append-only stays so', async () => {
    const manifest = await fixture.backup();
    const name = `${fixture.name}_restored`;
    await administrate(fixture.ownerUrl, (client) => client.query(`create database ${name}`));
    try {
      const url = withDatabase(fixture.ownerUrl, name);
      await fixture.runner.archive.restore(manifest.id, { url, singleTransaction: true }, fixture.idle());
      await administrate(url, async (client) => {
        const users = await client.query('select id, email from app_user order by id');
        const live = await rows(fixture.ownerDb.fork(), 'select id, email from app_user order by id');
        expect(users.rows).toEqual(live);
        await expect(client.query('delete from audit_entry')).rejects.toThrow('append-only');
      });
    } finally {
      await administrate(fixture.ownerUrl, (client) => client.query(`drop database ${name} with (force)`));
    }
  });

  it('is refused under another master key', async () => {
    const manifest = await fixture.backup();
    const stranger = fixture.runnerWith({ masterKey: { kind: 'key', key: createSecretKey(randomBytes(32)) } });
    await expect(
      stranger.archive.restore(manifest.id, { url: fixture.ownerUrl, singleTransaction: true }, fixture.idle()),
    ).rejects.toMatchObject({ code: 'wrong_key', retryable: false });
  });
});

describe('a restore drill', () => {
  it('[B7] restores the newest backup, counts every table, verifies the audit log, and leaves nothing behind', async () => {
    await fixture.backup();
    await fixture.seal();
    const newest = await fixture.backup();
    const drillId = await fixture.begin('restore_drill');
    const phases = new Set<string>();
    const result = await fixture.runner.drill(drillId, {
      ...fixture.idle(),
      onProgress: (phase) => phases.add(phase),
    });
    expect(result.tables).toBe(Object.keys(newest.tables).length);
    expect(result.rows).toBe(Object.values(newest.tables).reduce((a, b) => a + b, 0));
    expect(result.auditEntries).toBe(newest.audit.seq + 1);
    expect(result.auditEntries).toBeGreaterThan(30);
    expect([...phases]).toEqual(['restore', 'count', 'audit']);
    expect(await remainingScratches(fixture.ownerUrl)).not.toContain(drillId);
    const chosen = await oneRow<{ backup_id: string }>(
      fixture.db.fork(),
      'select backup_id from restore_drill where id = $1',
      [drillId],
    );
    expect(chosen.backup_id).toBe(newest.id);
  });
});
