import { createSecretKey, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBackupRunner } from '../../activities/backup-runner.ts';
import { serverVersion } from '../../db/backup-census.ts';
import { remainingScratches } from '../../db/scratch-database.ts';
import { run } from '../../db/sql.ts';
import { findPostgresTools } from '../../platform/postgres-tools.ts';
import { eventually } from '../helpers/eventually.ts';
import { administrate } from '../helpers/template.ts';
import { type BackupFixture, createBackupFixture } from './backup-fixture.ts';

let fixture: BackupFixture;
beforeAll(async () => {
  fixture = await createBackupFixture();
});
afterAll(() => fixture.dispose());

async function drilled(runner = fixture.runner) {
  const id = await fixture.begin('restore_drill');
  try {
    return await runner.drill(id, fixture.idle());
  } finally {
    await run(fixture.db.fork(), `update restore_drill set status = 'cancelled', finished_at = now() where id = $1`, [
      id,
    ]);
    expect(await remainingScratches(fixture.ownerUrl)).not.toContain(id);
  }
}

/** A folder with a pg_dump that waits for the file `go` in it, and then does what `then` says. */
async function slowTools(name: string, then: (pgDump: string) => string): Promise<string> {
  const { major } = await serverVersion(fixture.ownerUrl);
  const { pgDump, pgRestore } = findPostgresTools({ serverMajor: major });
  const folder = join(fixture.folder, name);
  mkdirSync(folder);
  const script = (body: string) => `#!/bin/sh\n[ "$1" = --version ] && exec ${pgDump} --version\n${body}\n`;
  writeFileSync(join(folder, 'pg_dump'), script(`while [ ! -e ${folder}/go ]; do sleep 0.05; done\n${then(pgDump)}`), {
    mode: 0o755,
  });
  writeFileSync(
    join(folder, 'pg_restore'),
    `#!/bin/sh\n[ "$1" = --version ] && { ${pgRestore} --version; exit; }\nexec ${pgRestore} "$@"\n`,
    { mode: 0o755 },
  );
  return folder;
}

/** Makes a backup with those tools, while people register between the count and the dump. */
async function backupWithRegistrations(tools: string): Promise<void> {
  const before = existsSync(fixture.settings.backupDir) ? readdirSync(fixture.settings.backupDir).length : 0;
  const made = fixture.backup(fixture.runnerWith({ backupToolsDir: tools }));
  await eventually(
    () => existsSync(fixture.settings.backupDir) && readdirSync(fixture.settings.backupDir).length > before,
    {
      what: 'the file of the dump',
    },
  );
  await fixture.addPeople(5);
  await fixture.seal();
  writeFileSync(join(tools, 'go'), '');
  await made;
}

describe('a restore drill', () => {
  it('finds exactly the rows that were counted, though people register between the count and the dump', async () => {
    await backupWithRegistrations(await slowTools('honest', (pgDump) => `exec ${pgDump} "$@"`));
    await expect(drilled()).resolves.toMatchObject({ rows: expect.any(Number) });
  });

  it('finds rows that are not those of the manifest', async () => {
    const forgetful = `for a; do case "$a" in --snapshot=*) ;; *) set -- "$@" "$a";; esac; shift; done`;
    await backupWithRegistrations(await slowTools('forgetful', (pgDump) => `${forgetful}\nexec ${pgDump} "$@"`));
    await expect(drilled()).rejects.toMatchObject({
      code: 'drill_mismatch',
      message: expect.stringMatching(/differ after the restore/),
    });
  });

  it('finds an audit log that was altered before it was backed up', async () => {
    await administrate(fixture.ownerUrl, async (client) => {
      await client.query('alter table audit_entry disable trigger user');
      await client.query(
        `update audit_entry set entry = replace(entry, '"success"', '"failure"')
          where id = (select entry_id from audit_seal order by seq desc limit 1)`,
      );
      await client.query('alter table audit_entry enable trigger user');
    });
    await fixture.backup();
    await expect(drilled()).rejects.toMatchObject({
      code: 'drill_mismatch',
      message: expect.stringContaining('the restored audit log is not sound'),
    });
  });

  it('holds the audit log against the key that is kept outside', async () => {
    const other = await createBackupFixture();
    try {
      await other.backup();
      const { db, audit, settings } = other;
      const strangersKey = createSecretKey(randomBytes(32));
      const id = await other.begin('restore_drill');
      await expect(
        createBackupRunner({ db, audit, auditKey: strangersKey, settings }).drill(id, other.idle()),
      ).rejects.toThrow('history_rewritten');
      await expect(other.runner.drill(id, other.idle())).resolves.toMatchObject({ auditEntries: expect.any(Number) });
    } finally {
      await other.dispose();
    }
  });
});
