import { createSecretKey, randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuditVerifier } from '../../db/audit-verify.ts';
import { oneRow } from '../../db/sql.ts';
import { chainHash, genesisHash, leafHash } from '../../security/audit-chain.ts';
import { checkpointKey, checkpointName, openCheckpoint, signCheckpoint } from '../../security/checkpoint.ts';
import { entryHmac, sealHmac } from '../helpers/audit-macs.ts';
import { createPublishedLog } from './checkpoint-fixture.ts';

type Sql = (text: string, params?: unknown[]) => Promise<pg.QueryResult>;

describe('[A3] a log is held against what was published of it', () => {
  let log: Awaited<ReturnType<typeof createPublishedLog>>;
  beforeEach(async () => {
    log = await createPublishedLog();
    await log.grow(...Array.from({ length: 6 }, (_, n) => n));
    await log.grow(6, 7, 8, 9);
  });
  afterEach(() => log.close());

  const verify = async (options: { threads?: number } = {}) =>
    createAuditVerifier({ db: log.db, auditKeys: [log.auditKey] }).verify({
      published: await log.publisher.evidence(),
      ...options,
    });

  /** Takes entries away from `first` on, tree and seals with them. */
  const cutOff = (first: number) =>
    log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= $1)', [first]);
      await sql('delete from audit_seal where seq >= $1', [first]);
    });

  it('and agrees with every checkpoint when nothing was done to it', async () => {
    await log.append('more');
    await log.seal();
    expect(await verify()).toMatchObject({ valid: true, reason: null, checkpoints: 2 });
  });

  it('and one of fifty thousand entries is read in threads, to the same end', async () => {
    for (let n = 0; n < 104; n += 1) await log.append(...Array.from({ length: 500 }, (_, at) => 10 + n * 500 + at));
    await log.seal(5_000);
    await log.publisher.publish({ trigger: 'schedule' });
    expect(await verify({ threads: 2 })).toMatchObject({ valid: true, checked: 52_012, checkpoints: 3 });
    await log.asDatabaseAdministrator((sql) =>
      sql(`update audit_entry set entry = replace(entry, '"success"', '"failure"')
        where id in (select entry_id from audit_seal where seq in (40000, 45000))`),
    );
    expect(await verify({ threads: 2 })).toMatchObject({
      ...{ valid: false, firstInvalidSeq: 40_000, checked: 40_000, reason: 'entry_changed', checkpoints: 2 },
    });
  });

  it('a tail that was cut off', async () => {
    await cutOff(9);
    expect(await verify()).toMatchObject({ valid: false, firstInvalidSeq: 9, reason: 'tail_truncated', checked: 9 });
  });

  it('a tail that was cut off and appended anew to the same length, and beyond', async () => {
    await cutOff(8);
    await log.append('x', 'y', 'z');
    await log.seal();
    expect(await verify()).toMatchObject({ valid: false, firstInvalidSeq: 8, reason: 'tail_rewritten' });
    await log.append(...Array.from({ length: 20 }, (_, n) => `later ${n}`));
    await log.seal();
    expect(await verify()).toMatchObject({ valid: false, firstInvalidSeq: 8, reason: 'tail_rewritten' });
  });

  it('a chain that somebody who has the key as well rewrote with right hashes and MACs', async () => {
    await log.asDatabaseAdministrator((sql) => rewriteWithKey(sql, 7));
    expect(await verify()).toMatchObject({
      ...{ valid: false, firstInvalidSeq: 6, reason: 'history_rewritten', checked: 6 },
      checkpoints: 1,
    });
  });

  it('a backup that was restored and had lost the tail', async () => {
    await cutOff(8);
    await log.asDatabaseAdministrator(async (sql) => {
      await sql(`update audit_era set cluster = 'the old one'`);
    });
    await log.append('of the new cluster');
    await log.seal();
    expect(await verify()).toMatchObject({ valid: false, reason: 'restored_without_tail' });
  });

  it('a tail that was cut off while an interrupted run had read it', async () => {
    const { hash } = await oneRow<{ hash: Buffer }>(log.db.fork(), 'select hash from audit_seal where seq = 9');
    await cutOff(9);
    const verifier = createAuditVerifier({ db: log.db, auditKeys: [log.auditKey] });
    expect(await verifier.verify({ after: { seq: 9, hash } })).toMatchObject({
      ...{ valid: false, firstInvalidSeq: 9, reason: 'tail_truncated', checked: 9 },
    });
  });

  it('a checkpoint of another log, and one that somebody else signed', async () => {
    const last = await log.publisher.stand();
    const genuine = openCheckpoint(last.last?.note ?? '', log.signer.verifiers(await log.origin()));
    const { privateKey } = checkpointKey({ seed: createSecretKey(randomBytes(32)) });
    const put = (name: string, note: string) => {
      chmodSync(log.folder, 0o700);
      writeFileSync(join(log.folder, name), note);
    };
    const foreign = { ...genuine, origin: 'tradeguard.local/another', size: 11 };
    put(checkpointName(foreign), signCheckpoint(foreign, privateKey));
    expect(await verify()).toMatchObject({ valid: false, firstInvalidSeq: null, reason: 'foreign_checkpoint' });
    put(checkpointName(foreign), signCheckpoint({ ...genuine, size: 11 }, privateKey));
    expect(await verify()).toMatchObject({ valid: false, firstInvalidSeq: null, reason: 'checkpoint_forged' });
  });

  /** As the sealer would have chained it, had entry `seq` said something else. */
  async function rewriteWithKey(sql: Sql, seq: number): Promise<void> {
    const { rows } = await sql(
      `select s.seq, s.entry_id, e.n, e.era, e.xid::text as xid, e.entry, s.horizon::text as horizon,
              to_char(s.sealed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as sealed_at
         from audit_seal s join audit_entry e on e.id = s.entry_id order by s.seq`,
    );
    let prevHash = genesisHash(await log.origin());
    for (const row of rows) {
      const isChanged = Number(row.seq) === seq;
      const entry = isChanged ? row.entry.replace('"ip":"192.0.2.7"', '"ip":"192.0.2.8"') : row.entry;
      const [hash, leaf] = [chainHash(prevHash, entry), leafHash(entry)];
      const seal = {
        ...{ seq: Number(row.seq), entryId: row.entry_id, n: row.n, era: String(row.era), xid: row.xid },
        ...{ prevHash, hash, leafHash: leaf, sealedAt: row.sealed_at, horizon: row.horizon },
      };
      if (isChanged) {
        const mac = entryHmac(log.auditKey, entry);
        await sql('update audit_entry set entry = $2, entry_hmac = $3 where id = $1', [row.entry_id, entry, mac]);
      }
      await sql('update audit_seal set prev_hash = $2, hash = $3, leaf_hash = $4, seal_hmac = $5 where seq = $1', [
        ...[row.seq, prevHash, hash, leaf],
        sealHmac(log.auditKey, seal),
      ]);
      prevHash = hash;
    }
  }
});
