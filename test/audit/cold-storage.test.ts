import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { monthTable } from '../../db/month-tables.ts';
import { rows } from '../../db/sql.ts';
import { canonicalJson } from '../../security/canonical-json.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { entryHmac } from '../helpers/audit-macs.ts';
import { type ColdLog, createColdLog } from './cold-fixture.ts';

const COUNT = 300;

describe('a month of the audit log in cold storage', () => {
  let log: ColdLog;
  beforeEach(async () => {
    log = await createColdLog(COUNT);
  });
  afterEach(() => log.close());

  const tableOf = (month: string) => `audit_entry_${month.replace('-', '')}`;

  it('[A7] leaves the database, and the log stays sound, with its texts and without', async () => {
    const done = await log.archive(log.older, 'out');
    expect(done).toMatchObject({ month: log.older, entries: COUNT, from: 0, already: false });
    // The early entry of the next month stands between.
    expect(done.to).toBe(COUNT + 1);
    expect(await log.tables()).not.toContain(tableOf(log.older));
    expect(await log.check()).toMatchObject({ valid: true, archived: COUNT, unsealed: 0, checkpoints: 1 });
    expect(await log.check('out')).toMatchObject({ valid: true, archived: COUNT });
    const [{ left } = { left: '' }] = await rows<{ left: string }>(
      log.db.fork(),
      'select count(*) as left from audit_entry',
    );
    // 40 of the younger month, 2 of today, the record of the checkpoint, and that of the archive.
    expect(Number(left)).toBe(44);
    const [record] = await log.entriesOf('audit.month_archived');
    expect(record).toMatchObject({ number: 1, month: log.older, entries: COUNT, manifestSha256: done.manifestSha256 });
    const listed = await rows(log.db.fork(), 'select number, kind, month, entries from audit_archive');
    expect(listed).toEqual([{ number: 1, kind: 'archived', month: log.older, entries: String(COUNT) }]);
  });

  it('is in a folder that the verifier outside accepts', async () => {
    await log.archive(log.older, 'out');
    expect(await log.verifyOutside(['out'])).toMatchObject({ code: 0, verdict: 'sound', entries: COUNT + 1 });
    expect(readdirSync(log.folderOf('out')).sort()).toEqual([
      'checkpoints',
      'entries',
      'keys.txt',
      'manifest.json',
      'manifest.note',
    ]);
  });

  it('comes back byte by byte, rows and table, and can go again', async () => {
    const before = await log.imageOf(log.older);
    expect(before.rows).toHaveLength(COUNT);
    const first = await log.archive(log.older, 'out');
    await log.restoreMonth('out');
    expect(await log.imageOf(log.older)).toEqual(before);
    expect(await log.check()).toMatchObject({ valid: true, archived: 0, unsealed: 0 });
    await expect(log.asOwner(`truncate ${tableOf(log.older)}`)).rejects.toThrow(/append-only/);
    await expect(log.asOwner(`delete from ${tableOf(log.older)}`)).rejects.toThrow(/append-only/);
    const again = await log.archive(log.older, 'again');
    expect(again).toMatchObject({ from: first.from, to: first.to, entries: first.entries });
    expect(await log.check('again')).toMatchObject({ valid: true, archived: COUNT });
    expect((await log.entriesOf('audit.month_restored')).length).toBe(1);
  });

  it('goes beside another one whose entries stand between its own', async () => {
    await log.archive(log.older, 'first');
    const second = await log.archive(log.younger, 'second');
    expect(second).toMatchObject({ entries: 40, from: COUNT - 2 });
    expect(await log.check()).toMatchObject({ valid: true, archived: COUNT + 40 });
    expect(await log.check('second', 'first')).toMatchObject({ valid: true, archived: COUNT + 40 });
    expect(await log.verifyOutside(['first', 'second'])).toMatchObject({ code: 0, verdict: 'sound', archived: 2 });
    expect(await log.verifyOutside(['second'])).toMatchObject({ code: 0, verdict: 'sound', archived: 2 });
    await log.restoreMonth('first');
    expect(await log.check()).toMatchObject({ valid: true, archived: 40 });
  });

  it('is everything from before the log had months, where it was upgraded', async () => {
    const name = tableOf(log.older);
    const { endId } = (await monthTable(log.ownerDb.fork(), log.older)) ?? {};
    await log.asOwner(
      `alter table audit_entry detach partition ${name};
       alter table ${name} rename to audit_entry_past;
       alter table audit_entry attach partition audit_entry_past for values from (minvalue) to ('${endId}')`,
    );
    await expect(log.archive(log.older, 'out')).rejects.toThrow(/archive that with --month past/);
    const before = await log.imageOf('past');
    expect(await log.archive('past', 'out')).toMatchObject({ month: 'past', entries: COUNT });
    expect(await log.check()).toMatchObject({ valid: true, archived: COUNT });
    // The months to come are made all the same.
    await rows(log.ownerDb.fork(), 'select audit_entry_maintain()');
    await log.restoreMonth('out');
    const { rows: texts, bound, columns } = await log.imageOf('past');
    expect({ texts, bound }).toEqual({ texts: before.rows, bound: before.bound });
    expect(columns).toEqual(before.columns);
    expect(await log.check()).toMatchObject({ valid: true, archived: 0 });
  });

  it('stays what it is when its table is there again, and empty', async () => {
    await log.archive(log.older, 'out');
    await log.makeTable(log.older);
    expect(await log.check()).toMatchObject({ valid: true, archived: COUNT });
    await expect(log.restoreMonth('out')).rejects.toThrow(/has a table/);
  });

  describe('does not hide', () => {
    it('a dropped month with a record that nobody with the key made', async () => {
      const done = await log.archive(log.younger, 'out');
      const forged = {
        ...done,
        month: log.older,
        from: 0,
        to: COUNT + 1,
        firstId: '00000000-0000-7000-8000-000000000000',
        endId: done.firstId,
      };
      await log.asDatabaseAdministrator(async (sql) => {
        await sql(`alter table audit_entry detach partition ${tableOf(log.older)}`);
        await sql(`drop table ${tableOf(log.older)}`);
        await sql(
          `insert into audit_archive (number, kind, month, from_seq, to_seq, first_id, end_id, entries, manifest_sha256)
           values (2, 'archived', $1, 0, $2, $3, $4, $5, sha256('x'))`,
          [forged.month, forged.to, forged.firstId, forged.endId, COUNT],
        );
      });
      expect(await log.check()).toMatchObject({ valid: false, reason: 'entry_deleted', firstInvalidSeq: 0 });
      // An entry for it as well, with a MAC of another key.
      const [genuine] = await rows<{ entry: string }>(
        log.db.fork(),
        `select entry from audit_entry where action = 'audit.month_archived'`,
      );
      const record = JSON.parse(genuine?.entry ?? '');
      const id = uuidV7();
      const details = { ...record.details, ...forged, number: 2, inColdStorage: [forged, done] };
      const text = canonicalJson({ ...record, id, subject: { kind: 'audit_month', id: log.older }, details });
      const insertWith = (key: KeyObject) =>
        log.asDatabaseAdministrator((sql) =>
          sql(
            `insert into audit_entry (id, entry, entry_hmac, at, action, subject, outcome, severity)
             values ($1, $2, $3, $4, 'audit.month_archived', $5, 'success', $6)`,
            [id, text, entryHmac(key, text), record.at, log.older, record.severity],
          ),
        );
      await insertWith(createSecretKey(randomBytes(32)));
      expect(await log.check()).toMatchObject({ valid: false, reason: 'entry_deleted', firstInvalidSeq: 0 });
      // It is the MAC that decides: with that of the log's key the entries may be gone, and what is missing is another thing.
      await log.asDatabaseAdministrator((sql) => sql('delete from audit_entry where id = $1', [id]));
      await insertWith(log.auditKey);
      expect(await log.check()).toMatchObject({ valid: false, reason: 'history_rewritten' });
    });

    it('a dropped month without any record', async () => {
      await log.asDatabaseAdministrator((sql) => sql(`drop table ${tableOf(log.older)}`));
      expect(await log.check()).toMatchObject({ valid: false, reason: 'entry_deleted', firstInvalidSeq: 0 });
    });

    it('an entry of the next month that stands between those of the archived one', async () => {
      await log.archive(log.older, 'out');
      await log.asDatabaseAdministrator((sql) =>
        sql('delete from audit_entry where id = (select entry_id from audit_seal where seq = $1)', [COUNT - 2]),
      );
      expect(await log.check()).toMatchObject({ valid: false, reason: 'entry_deleted', firstInvalidSeq: COUNT - 2 });
    });

    it('an entry deleted after its month was brought back, not with a copy of the older record either', async () => {
      await log.archive(log.older, 'out');
      await log.restoreMonth('out');
      await log.check();
      await log.asDatabaseAdministrator(async (sql) => {
        await sql('delete from audit_entry where id = (select entry_id from audit_seal where seq = 7)');
        await sql(
          `insert into audit_entry (id, entry, entry_hmac, at, action, subject, outcome)
           select gen_random_uuid(), entry, entry_hmac, now(), action, subject, outcome from audit_entry where action = 'audit.month_archived'`,
        );
      });
      expect(await log.check()).toMatchObject({ valid: false, reason: 'entry_deleted', firstInvalidSeq: 7 });
    });

    it('the record that was taken away with what it says', async () => {
      await log.archive(log.older, 'out');
      await log.restoreMonth('out');
      await log.check();
      // Without the newest record the one before it counts again, and the month may be gone. But its seal is there.
      await log.asDatabaseAdministrator(async (sql) => {
        await sql(`drop table ${tableOf(log.older)}`);
        await sql(`delete from audit_entry where action = 'audit.month_restored'`);
      });
      const found = await log.check();
      expect(found).toMatchObject({ valid: false, reason: 'entry_deleted' });
      expect(found.firstInvalidSeq).toBeGreaterThan(COUNT);
    });

    it.each([
      ['leaf', `leaf_hash = sha256('x')`, 'seal_forged'],
      ['hash', `hash = sha256('x')`, 'seal_forged'],
      ['time', `sealed_at = sealed_at - interval '1 day'`, 'seal_forged'],
      ['entry', `entry_id = gen_random_uuid()`, 'entry_deleted'],
    ])('a changed %s of a seal', async (_, change, reason) => {
      await log.archive(log.older, 'out');
      await log.asDatabaseAdministrator((sql) => sql(`update audit_seal set ${change} where seq = 11`));
      expect(await log.check()).toMatchObject({ valid: false, reason, firstInvalidSeq: 11 });
    });

    it('a seal that was taken out', async () => {
      await log.archive(log.older, 'out');
      await log.asDatabaseAdministrator((sql) => sql('delete from audit_seal where seq = 11'));
      expect(await log.check()).toMatchObject({ valid: false, reason: 'entry_deleted', firstInvalidSeq: 11 });
    });

    it('an entry that is hidden from the sealer', async () => {
      await log.archive(log.older, 'out');
      await log.check();
      await log.asDatabaseAdministrator((sql) =>
        sql(
          `insert into audit_entry (id, era, entry, entry_hmac, at, action, subject, outcome)
           select gen_random_uuid(), -1, entry, entry_hmac, at, action, subject, outcome from audit_entry limit 1`,
        ),
      );
      expect(await log.check()).toMatchObject({ valid: false, reason: 'entry_hidden' });
    });
  });
});
