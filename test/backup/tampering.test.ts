import { copyFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countTables } from '../../db/backup-census.ts';
import { remainingScratches } from '../../db/scratch-database.ts';
import { run } from '../../db/sql.ts';
import type { BackupManifest } from '../../platform/backup-manifest.ts';
import { administrate, withDatabase } from '../helpers/template.ts';
import { type BackupFixture, createBackupFixture } from './backup-fixture.ts';

let fixture: BackupFixture;
let manifest: BackupManifest;
let other: BackupManifest;
let emptyUrl: string;

beforeAll(async () => {
  fixture = await createBackupFixture();
  // Noise does not compress, so the file has chunks to be moved about.
  await fixture.db.transaction((tx) =>
    run(
      tx,
      `insert into once (key, result) select 'noise-' || n, to_jsonb((select string_agg(md5(random()::text), '') from generate_series(1, 300) where n > 0))
         from generate_series(1, 60) n`,
    ),
  );
  manifest = await fixture.backup();
  other = await fixture.backup();
  await administrate(fixture.ownerUrl, (client) => client.query(`create database ${fixture.name}_empty`));
  emptyUrl = withDatabase(fixture.ownerUrl, `${fixture.name}_empty`);
});
afterAll(async () => {
  await administrate(fixture.ownerUrl, (client) => client.query(`drop database ${fixture.name}_empty with (force)`));
  await fixture.dispose();
});

const pathOf = (name: string) => join(fixture.settings.backupDir, name);
const manifestPath = (id: string) => pathOf(`${id}.manifest.json`);

/** Puts file and manifest back as they were afterwards. */
async function altered(change: () => void, check: () => Promise<void>): Promise<void> {
  const saved = [pathOf(manifest.file.name), manifestPath(manifest.id)];
  for (const path of saved) copyFileSync(path, `${path}.saved`);
  try {
    change();
    await check();
  } finally {
    for (const path of saved) renameSync(`${path}.saved`, path);
  }
}

const verified = async () => {
  const read = await fixture.runner.store.read(manifest.id);
  if (read === undefined) throw new Error('not listed');
  return fixture.runner.archive.validate(read, fixture.idle());
};
const restored = () =>
  fixture.runner.archive.restore(manifest.id, { url: emptyUrl, singleTransaction: true }, fixture.idle());

async function expectRefusal(): Promise<void> {
  await expect(verified()).rejects.toMatchObject({ name: 'BackupError' });
  await expect(restored()).rejects.toMatchObject({ name: 'BackupError' });
  expect(await countTables(emptyUrl)).toBe(0);
}

function rewrite(change: (manifest: Record<string, unknown>) => void): void {
  const content = JSON.parse(readFileSync(manifestPath(manifest.id), 'utf8'));
  change(content);
  writeFileSync(manifestPath(manifest.id), JSON.stringify(content));
}

describe('[B6] a backup that is not as it was written', () => {
  it('is whole before anybody touches it', async () => {
    expect(manifest.file.bytes).toBeGreaterThan(4 * 65_536);
    await verified();
  });

  it.each([0, 0.2, 0.4, 0.6, 0.8, 0.999])('is refused with a bit turned at %f of the file', (share) =>
    altered(() => {
      const path = pathOf(manifest.file.name);
      const bytes = readFileSync(path);
      const at = Math.floor(bytes.length * share);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      writeFileSync(path, bytes);
    }, expectRefusal),
  );

  it.each([0, 10, 0.5, 0.99])('is refused cut off at %f', (length) =>
    altered(() => {
      const bytes = length < 1 ? Math.floor(manifest.file.bytes * length) : length;
      truncateSync(pathOf(manifest.file.name), bytes);
    }, expectRefusal),
  );

  it('is refused when its file is another genuine one', () =>
    altered(() => copyFileSync(pathOf(other.file.name), pathOf(manifest.file.name)), expectRefusal));

  it('is refused when its manifest names the file of another one', () =>
    altered(
      () =>
        rewrite((content) => {
          content.file = { ...manifest.file, name: other.file.name };
        }),
      expectRefusal,
    ));

  it.each<[string, (content: Record<string, unknown>) => void]>([
    ['row counts', (content) => Object.assign(content.tables as object, { 'public.app_user': 1 })],
    ['end of the audit log', (content) => Object.assign(content.audit as object, { seq: 3 })],
    ['time', (content) => Object.assign(content, { createdAt: '2031-01-01T00:00:00.000Z' })],
    ['migrations', (content) => (content.migrations as string[]).pop()],
    ['hash of the file', (content) => Object.assign(content.file as object, { sha256: 'a'.repeat(64) })],
    ['hash of the dump', (content) => Object.assign(content.dump as object, { sha256: 'a'.repeat(64) })],
    ['MAC', (content) => Object.assign(content, { mac: 'a'.repeat(64) })],
    ['key', (content) => Object.assign(content, { key: other.key })],
  ])('is refused with another %s in its manifest', (_, change) => altered(() => rewrite(change), expectRefusal));

  it('is refused when its file is gone', () =>
    altered(
      () => rmSync(pathOf(manifest.file.name)),
      async () => {
        await expect(verified()).rejects.toMatchObject({ name: 'BackupError' });
        await expect(restored()).rejects.toMatchObject({ code: 'backup_missing' });
      },
    ));

  it('fails the restore drill, and the drill leaves no database', () =>
    altered(
      () => truncateSync(pathOf(manifest.file.name), manifest.file.bytes - 20_000),
      async () => {
        const id = await fixture.begin('restore_drill');
        await run(fixture.db.fork(), 'update restore_drill set backup_id = $2 where id = $1', [id, manifest.id]);
        // A file of the wrong length counts as missing: the copy would be asked.
        await expect(fixture.runner.drill(id, fixture.idle())).rejects.toMatchObject({ code: 'backup_missing' });
        const bytes = readFileSync(pathOf(manifest.file.name));
        writeFileSync(pathOf(manifest.file.name), Buffer.concat([bytes, Buffer.alloc(20_000)]));
        await expect(fixture.runner.drill(id, fixture.idle())).rejects.toMatchObject({ code: 'backup_corrupt' });
        expect(await remainingScratches(fixture.ownerUrl)).not.toContain(id);
      },
    ));
});
