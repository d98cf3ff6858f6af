import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createEvidenceLog, type EvidenceLog, verifyApart } from './evidence-fixture.ts';

const PROGRAM = join(import.meta.dirname, '../../cli/tradeguard.ts');

let log: EvidenceLog;
let folder: string;
let incidentId: string;
beforeAll(async () => {
  log = await createEvidenceLog();
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-evidence-command-'));
  await log.noise(20);
  incidentId = await log.open(await log.person());
  await log.seal();
});
afterAll(async () => {
  await log?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function evidence(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, 'audit', 'evidence', ...args, '--data-dir', '/nowhere'], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: log.url,
      AUDIT_KEY: log.auditKey.export().toString('base64'),
      SESSION_SECRET: randomBytes(32).toString('base64'),
      ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      AUDIT_CHECKPOINT_DIR: log.folder,
    },
  });
  const shown = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    shown.err += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...shown };
}
const to = (name: string) => join(folder, name);
const recorded = () =>
  rows<{ actor: string; details: string }>(
    log.db.fork(),
    `select entry::json -> 'actor' ->> 'kind' as actor, entry::json ->> 'details' as details from audit_entry
      where action = 'incident.evidence_created' and subject = $1 order by at`,
    [incidentId],
  );

describe('tradeguard audit evidence', () => {
  it('writes a folder or one file, says what is in it, and is told of in the log', async () => {
    const folderForm = await evidence('--incident', incidentId, '--out', to('case'), '--json');
    expect(folderForm).toMatchObject({ code: 0 });
    const told = JSON.parse(folderForm.out);
    expect(told).toMatchObject({ incidentId, entries: 1, found: 1, pending: 0, valid: true, reason: null });
    const fileForm = await evidence('--incident', incidentId.toUpperCase(), '--out', to('case.json.gz'));
    expect(fileForm).toMatchObject({ code: 0 });
    expect(fileForm.out).toContain('Sound.');
    for (const out of [to('case'), to('case.json.gz')]) {
      const verdict = await verifyApart([out], '--key', told.verifierKey);
      expect(verdict).toMatchObject({ code: 0, verdict: 'sound' });
    }
    const entries = await recorded();
    expect(entries.map(({ actor }) => actor)).toEqual(['operator', 'operator']);
    expect(JSON.parse(entries[0]?.details ?? '')).toMatchObject({
      bundleId: told.bundleId,
      manifestSha256: told.manifestSha256,
    });
  });

  it('refuses what it cannot do, says why, and leaves nothing', async () => {
    writeFileSync(to('there.json.gz'), 'mine');
    const before = await recorded();
    for (const [args, why] of [
      [['--incident', 'x', '--out', to('a')], 'Write the id of an incident.'],
      [['--incident', uuidV7(), '--out', to('a')], 'There is no such incident.'],
      [['--incident', incidentId, '--out', to('there.json.gz')], 'exists already'],
      [['--incident', incidentId, '--out', to('a'), '--window-hours', '721'], 'Write hours, 1 to 720.'],
      [['--incident', incidentId], "required option '--out <path>'"],
    ] as const) {
      const { code, err } = await evidence(...args);
      expect(err).toContain(why);
      expect(code).toBe(1);
    }
    expect(existsSync(to('a'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes('unfinished'))).toEqual([]);
    expect(await recorded()).toEqual(before);
  });

  it('gives evidence of a log that is not sound, and ends with 1', async () => {
    await log.asDatabaseAdministrator((sql) =>
      sql(`update audit_entry set entry = replace(entry, '"success"', '"failure"') where subject = $1`, [incidentId]),
    );
    const { code, out } = await evidence('--incident', incidentId, '--out', to('damaged'));
    expect(code).toBe(1);
    expect(out).toContain('NOT SOUND: entry_changed');
    expect(await verifyApart([to('damaged')])).toMatchObject({ code: 1, reason: 'entry_changed' });
  });
});
