import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Part } from '../../db/audit-start.ts';
import { incrementalBase, verifiedEvent } from '../../db/audit-verified.ts';
import { createAuditVerifier, type VerifyOptions } from '../../db/audit-verify.ts';
import { oneRow } from '../../db/sql.ts';
import { chainHash, leafHash } from '../../security/audit-chain.ts';
import { canonicalJson } from '../../security/canonical-json.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { entryHmac, sealHmac } from '../helpers/audit-macs.ts';
import { createPublishedLog, nameOf } from './checkpoint-fixture.ts';

let log: Awaited<ReturnType<typeof createPublishedLog>>;
beforeEach(async () => {
  log = await createPublishedLog();
});
afterEach(() => log.close());

const verifier = () => createAuditVerifier({ db: log.db, auditKeys: [log.auditKey] });
const verify = async (options: VerifyOptions = {}) =>
  verifier().verify({ published: await log.publisher.evidence(), ...options });
const base = async (options?: { daily: boolean }) =>
  incrementalBase({ db: log.db, auditKeys: [log.auditKey] }, await log.publisher.evidence(), options);

/** Verifies, and leaves the entry that says so, as the worker and the terminal do. */
async function verified(part: Part = {}) {
  const startedAt = new Date().toISOString();
  const result = await verify(part);
  await log.db.transaction((tx) =>
    log.audit.append(tx, {
      ...verifiedEvent(result, startedAt),
      ...{ actor: { kind: 'system' }, subject: { kind: 'audit_verification', id: 'v' } },
    }),
  );
  return result;
}

const changeText = (seq: number) =>
  log.asDatabaseAdministrator((sql) =>
    sql(
      `update audit_entry set entry = replace(entry, '192.0.2.7', '192.0.2.8')
        where id = (select entry_id from audit_seal where seq = $1)`,
      [seq],
    ),
  );
const changeSeal = (seq: number) =>
  log.asDatabaseAdministrator((sql) => sql(`update audit_seal set hash = sha256('x') where seq = $1`, [seq]));
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

describe('[A3] a range', () => {
  beforeEach(async () => {
    await log.grow(...numbers(0, 20));
    await log.grow(...numbers(20, 40));
  });

  it('is what was asked for, and says so', async () => {
    expect(await verify({ from: 5, to: 30 })).toMatchObject({
      ...{ valid: true, mode: 'range', from: 5, to: 30, checked: 25, checkpoints: 1 },
    });
    // Twenty, the record of the checkpoint, and twenty more.
    expect(await verify({ from: 5 })).toMatchObject({ valid: true, mode: 'range', from: 5, to: 41, checked: 36 });
    expect(await verify({ to: 30 })).toMatchObject({ valid: true, mode: 'range', from: 0, to: 30, checked: 30 });
    expect(await verify()).toMatchObject({ valid: true, mode: 'full', from: 0, to: 41, checked: 41, checkpoints: 2 });
  });

  it('finds the faults within it, and no others', async () => {
    await changeText(10);
    await changeSeal(30);
    expect(await verify()).toMatchObject({ valid: false, firstInvalidSeq: 10 });
    expect(await verify({ from: 0, to: 10 })).toMatchObject({ valid: true, checked: 10 });
    expect(await verify({ from: 11, to: 30 })).toMatchObject({ valid: true, checked: 19, checkpoints: 1 });
    expect(await verify({ from: 31, to: 41 })).toMatchObject({ valid: true, checked: 10 });
    expect(await verify({ from: 5, to: 15 })).toMatchObject({
      ...{ valid: false, firstInvalidSeq: 10, reason: 'entry_changed', checked: 5, from: 5, to: 15 },
    });
    expect(await verify({ from: 10, to: 11 })).toMatchObject({ valid: false, firstInvalidSeq: 10, checked: 0 });
    expect(await verify({ from: 11 })).toMatchObject({ valid: false, firstInvalidSeq: 30, reason: 'column_changed' });
  });

  it.each(['the seal', 'the entry', 'seal and entry'])(
    'goes through what it is asked for where %s before it is gone',
    async (what) => {
      await log.asDatabaseAdministrator(async (sql) => {
        if (what !== 'the seal')
          await sql('delete from audit_entry where id = (select entry_id from audit_seal where seq = 10)');
        if (what !== 'the entry') await sql('delete from audit_seal where seq = 10');
      });
      expect(await verify({ from: 11, to: 30 })).toMatchObject({ valid: true, checked: 19, from: 11 });
      expect(await verify({ from: 10, to: 30 })).toMatchObject({ valid: false, firstInvalidSeq: 10, checked: 0 });
    },
  );

  it('has to link to the entry before it, where that is as it was written', async () => {
    // As from an older copy of the database: everything from entry 11 on is genuine, and goes on from something else.
    await chainAnew(11, Buffer.alloc(32, 1));
    expect(await verify({ from: 11, to: 15 })).toMatchObject({ valid: false, firstInvalidSeq: 11, checked: 0 });
    expect(await verify({ from: 12, to: 15 })).toMatchObject({ valid: true, checked: 3 });
    expect(await verify({ from: 12, to: 30 })).toMatchObject({
      ...{ valid: false, firstInvalidSeq: 12, reason: 'history_rewritten', checked: 0 },
    });
  });

  it('that ends beyond the log was cut off since it was asked for', async () => {
    expect(await verify({ from: 5, to: 60 })).toMatchObject({
      ...{ valid: false, reason: 'tail_truncated', firstInvalidSeq: 41, checked: 36, from: 5, to: 60 },
    });
    expect(await verify({ from: 50, to: 60 })).toMatchObject({ valid: false, reason: 'tail_truncated', checked: 0 });
    expect(await verify({ from: 50 })).toMatchObject({ valid: false, reason: 'tail_truncated', checked: 0 });
  });

  it('goes on behind what an interrupted run had checked, and counts from its own start', async () => {
    const { hash } = await oneRow<{ hash: Buffer }>(log.db.fork(), 'select hash from audit_seal where seq = 19');
    await changeText(12);
    const after = { seq: 19, hash };
    expect(await verify({ from: 5, to: 30, after })).toMatchObject({ valid: true, checked: 25, from: 5 });
    await changeText(25);
    expect(await verify({ from: 5, to: 30, after })).toMatchObject({ valid: false, firstInvalidSeq: 25, checked: 20 });
  });
});

describe('[A3] an incremental verification', () => {
  beforeEach(async () => {
    await log.grow(...numbers(0, 20));
    await log.grow(...numbers(20, 40));
  });

  it('begins with the first entry where nothing was verified yet', async () => {
    expect(await base()).toBe(0);
    expect(await verify({ base: 0 })).toMatchObject({ valid: true, mode: 'full', from: 0, checked: 41 });
  });

  it('goes on at the longest checkpoint that was covered', async () => {
    await verified();
    expect(await base()).toBe(41);
    await log.grow(...numbers(40, 50));
    // The checkpoint of fifty-odd was published after the verification.
    expect(await base()).toBe(41);
    expect(await verified({ base: 41 })).toMatchObject({
      ...{ valid: true, mode: 'incremental', from: 41, to: 53, checked: 12, checkpoints: 2 },
    });
    expect(await base()).toBe(53);
    // A range is no reason to pass over what lies before it.
    await log.grow(...numbers(50, 60));
    await verified({ from: 53 });
    expect(await base()).toBe(53);
  });

  it('does not go on at a checkpoint that is not published any more', async () => {
    await verified();
    rmSync(join(log.folder, nameOf(0, 41)));
    expect(await base()).toBe(20);
  });

  it('finds what was changed since, and its next run finds it again', async () => {
    await verified();
    await log.grow(...numbers(40, 50));
    await changeText(45);
    expect(await verified({ base: await base() })).toMatchObject({
      ...{ valid: false, mode: 'incremental', firstInvalidSeq: 45, checked: 4, reason: 'entry_changed' },
    });
    expect(await base({ daily: true })).toBe(0);
    expect(await base()).toBe(41);
  });

  it('goes back to before a fault that was found', async () => {
    await verified();
    await changeText(30);
    expect(await verified()).toMatchObject({ valid: false, firstInvalidSeq: 30 });
    expect(await base()).toBe(20);
    expect(await verify({ base: 20 })).toMatchObject({ valid: false, mode: 'incremental', firstInvalidSeq: 30 });
  });

  it('finds that the record of a fault was taken away', async () => {
    await verified();
    await log.seal();
    await changeText(30);
    await verified();
    await log.seal();
    await log.asDatabaseAdministrator(async (sql) => {
      const { rowCount } = await sql(`delete from audit_entry where action = 'audit.verified' and outcome = 'failure'`);
      expect(rowCount).toBe(1);
    });
    expect(await base()).toBe(41);
    expect(await verify({ base: 41 })).toMatchObject({ valid: false, reason: 'entry_deleted' });
  });

  it('does not look at texts below its start; the daily run of everything does', async () => {
    await verified();
    await changeText(10);
    expect(await base({ daily: true })).toBe(41);
    expect(await verified({ base: 41 })).toMatchObject({ valid: true, mode: 'incremental' });
    expect(await verify()).toMatchObject({ valid: false, firstInvalidSeq: 10, reason: 'entry_changed' });
  });

  it('goes through everything where the seal before its start is not what was published, and names that', async () => {
    await verified();
    await log.seal();
    await changeSeal(40);
    expect(await verify({ base: 41 })).toMatchObject({
      ...{ valid: false, mode: 'full', from: 0, firstInvalidSeq: 40, reason: 'column_changed' },
    });
  });

  it('goes through everything where the tree below its start has another root, or has a hole', async () => {
    await verified();
    const leaf = (seq: number) =>
      log.asDatabaseAdministrator((sql) => sql(`update audit_seal set leaf_hash = sha256('x') where seq = $1`, [seq]));
    await leaf(7);
    expect(await verify({ base: 41 })).toMatchObject({
      ...{ valid: false, mode: 'full', firstInvalidSeq: 7, reason: 'column_changed' },
    });
    await log.asDatabaseAdministrator((sql) => sql('delete from audit_seal where seq = 3'));
    expect(await verify({ base: 41 })).toMatchObject({ valid: false, mode: 'full', firstInvalidSeq: 3 });
  });

  it('looks at every stored node below its start', async () => {
    await log.append(...numbers(40, 600));
    await log.seal(1_000);
    await log.publisher.publish({ trigger: 'schedule' });
    await verified();
    const start = await base();
    expect(start).toBeGreaterThan(512);
    expect(await verify({ base: start })).toMatchObject({ valid: true, mode: 'incremental' });
    await log.asDatabaseAdministrator((sql) =>
      sql(`update audit_tree_node set hash = sha256('x') where level = 8 and index = 0`),
    );
    expect(await verify({ base: start })).toMatchObject({
      ...{ valid: false, mode: 'full', firstInvalidSeq: 0, reason: 'tree_changed' },
    });
  });

  it('looks at stored nodes that the root of its start is not made of', async () => {
    await verified();
    await log.asDatabaseAdministrator((sql) =>
      sql(`insert into audit_tree_node (level, index, hash) values (16, 0, sha256('x'))`),
    );
    expect(await verify({ base: 41 })).toMatchObject({
      ...{ valid: false, mode: 'incremental', firstInvalidSeq: 0, reason: 'tree_changed' },
    });
  });

  it('finds an entry of before its start that was sealed again', async () => {
    await verified();
    await log.seal();
    await sealAgain(5);
    expect(await verify({ base: 41 })).toMatchObject({
      valid: false,
      reason: 'sealed_twice',
      mode: 'incremental',
      firstInvalidSeq: 43,
    });
  });

  it('finds that the log is shorter than its start', async () => {
    await verified();
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 35)');
      await sql('delete from audit_seal where seq >= 35');
    });
    expect(await verify({ base: 41 })).toMatchObject({
      ...{ valid: false, mode: 'full', reason: 'tail_truncated', firstInvalidSeq: 35 },
    });
  });
});

describe('where an incremental verification begins is not moved by', () => {
  beforeEach(async () => {
    await log.grow(...numbers(0, 20));
  });

  const text = (given: Record<string, unknown> = {}, details: Record<string, unknown> = {}) =>
    canonicalJson({
      ...{ v: 1, id: uuidV7(), at: new Date().toISOString().replace('Z', '000Z'), action: 'audit.verified' },
      ...{ actor: { kind: 'system' }, subject: { kind: 'audit_verification', id: 'v' }, outcome: 'success' },
      ...{ severity: 'info', ip: null, userAgent: null, requestId: null, workflowId: null, ...given },
      details: {
        ...{ mode: 'full', from: 0, to: 20, startedAt: new Date().toISOString(), firstInvalidSeq: null, ...details },
      },
    });

  async function insert(entry: string, mac: Buffer, action?: string): Promise<void> {
    const { id, at, outcome, action: own } = JSON.parse(entry);
    await log.asDatabaseAdministrator((sql) =>
      sql(
        `insert into audit_entry (id, entry, entry_hmac, at, action, subject, outcome, severity)
         values ($1, $2, $3, $4, $5, 'v', $6, 'info')`,
        [id, entry, mac, at, action ?? own, outcome],
      ),
    );
  }
  const genuine = (entry: string) => entryHmac(log.auditKey, entry);

  it('an entry whose MAC is not genuine; it is by the same one with a genuine MAC', async () => {
    const entry = text();
    await insert(entry, Buffer.alloc(32, 1));
    expect(await base()).toBe(0);
    await insert(text(), genuine(text()));
    expect(await base()).toBe(0);
    const own = text();
    await insert(own, genuine(own));
    expect(await base()).toBe(20);
    expect(await base({ daily: true })).toBe(20);
  });

  it('a row of audit_verification', async () => {
    const { head } = await verify();
    await log.asDatabaseAdministrator((sql) =>
      sql(
        `insert into audit_verification (id, status, finished_at, started_at, checked, total, unsealed, head_hash, mode, from_seq, to_seq)
         values ($1, 'valid', now(), now(), 20, 20, 0, $2, 'full', 0, 20)`,
        [uuidV7(), head.hash],
      ),
    );
    expect(await base()).toBe(0);
  });

  it('a genuine entry of something else in a row that says it is one', async () => {
    const entry = text({ action: 'test.happened' });
    await insert(entry, genuine(entry), 'audit.verified');
    expect(await base()).toBe(0);
  });

  it('an entry of an earlier version, which does not say what it went through; its faults count', async () => {
    const unsaid = (outcome: string, firstInvalidSeq: number | null) =>
      canonicalJson({ ...JSON.parse(text({ outcome })), details: { checked: 20, firstInvalidSeq } });
    const old = unsaid('success', null);
    await insert(old, genuine(old));
    expect(await base()).toBe(0);
    const own = text();
    await insert(own, genuine(own));
    expect(await base()).toBe(20);
    const fault = unsaid('failure', 3);
    await insert(fault, genuine(fault));
    expect(await base()).toBe(0);
  });

  it('a day that is over, but everything is due then; a time to come proves nothing', async () => {
    const hours = (ago: number) => new Date(Date.now() - ago * 3_600_000).toISOString();
    const stamp = (ago: number) => ({ at: hours(ago).replace('Z', '000Z') });
    const day = text(stamp(24), { startedAt: hours(24.1) });
    await insert(day, genuine(day));
    expect(await base()).toBe(20);
    expect(await base({ daily: true })).toBe(0);
    const late = text(stamp(23), { startedAt: hours(23.1) });
    await insert(late, genuine(late));
    expect(await base({ daily: true })).toBe(20);
    const tomorrow = text(stamp(-2), { startedAt: hours(-2) });
    await insert(tomorrow, genuine(tomorrow));
    expect(await base({ daily: true })).toBe(0);
  });
});

/** Chains entry `seq` once more at the end, with the key, after taking away what forbids it. */
async function sealAgain(seq: number): Promise<void> {
  await log.asDatabaseAdministrator(async (sql) => {
    await sql('alter table audit_seal drop constraint audit_seal_entry_id_key');
    const { rows } = await sql(
      `select e.id, e.n, e.era, e.xid::text as xid, e.entry, l.seq + 1 as next, l.hash as prev
         from audit_seal s join audit_entry e on e.id = s.entry_id,
              (select seq, hash from audit_seal order by seq desc limit 1) l where s.seq = $1`,
      [seq],
    );
    const { id, n, era, xid, entry, next, prev } = rows[0];
    const seal = {
      ...{ seq: Number(next), entryId: id, n, era: String(era), xid, prevHash: prev, hash: chainHash(prev, entry) },
      ...{ leafHash: leafHash(entry), sealedAt: '2026-01-01T00:00:00.000000Z', horizon: null },
    };
    await sql(
      `insert into audit_seal (seq, entry_id, era, prev_hash, hash, leaf_hash, seal_hmac, sealed_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [next, id, era, prev, seal.hash, seal.leafHash, sealHmac(log.auditKey, seal), seal.sealedAt],
    );
  });
}

/** Chains the entries from `first` on to another hash, with the key. */
async function chainAnew(first: number, before: Buffer): Promise<void> {
  await log.asDatabaseAdministrator(async (sql) => {
    const { rows } = await sql(
      `select s.seq, s.entry_id, e.n, e.era, e.xid::text as xid, e.entry, s.horizon::text as horizon,
              to_char(s.sealed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as sealed_at
         from audit_seal s join audit_entry e on e.id = s.entry_id where s.seq >= $1 order by s.seq`,
      [first],
    );
    let prevHash = before;
    for (const { seq, entry_id: entryId, n, era, xid, entry, horizon, sealed_at: sealedAt } of rows) {
      const hash = chainHash(prevHash, entry);
      const seal = {
        ...{ seq: Number(seq), entryId, n, era: String(era), xid, prevHash, hash, leafHash: leafHash(entry) },
        ...{ sealedAt, horizon },
      };
      await sql('update audit_seal set prev_hash = $2, hash = $3, seal_hmac = $4 where seq = $1', [
        ...[seq, prevHash, hash],
        sealHmac(log.auditKey, seal),
      ]);
      prevHash = hash;
    }
  });
}
