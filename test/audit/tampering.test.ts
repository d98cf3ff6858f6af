import { createSecretKey, randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { finishVerification, requestVerification } from '../../db/audit-verification.ts';
import { chainHash, genesisHash, leafHash } from '../../security/audit-chain.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { sealHmac } from '../helpers/audit-macs.ts';
import { createLog, type Log } from './log-fixture.ts';

type Sql = (text: string, params?: unknown[]) => Promise<pg.QueryResult>;

/** Chains what is in the tables anew from the genesis, with right hashes: all that needs no key. */
async function rehash(sql: Sql): Promise<void> {
  const { origin } = (await sql('select origin from audit_log_origin')).rows[0];
  const { rows } = await sql(
    'select s.seq, e.entry from audit_seal s join audit_entry e on e.id = s.entry_id order by s.seq',
  );
  let prev = genesisHash(origin);
  for (const { seq, entry } of rows) {
    const hash = chainHash(prev, entry);
    await sql('update audit_seal set prev_hash = $2, hash = $3, leaf_hash = $4 where seq = $1', [
      seq,
      prev,
      hash,
      leafHash(entry),
    ]);
    prev = hash;
  }
}

const TEXT_AT = (seq: number) => `(select entry_id from audit_seal where seq = ${seq})`;
const CHANGED = `replace(entry, '"outcome":"success"', '"outcome":"failure"')`;

/** Somebody who rules the database and has no key. Each is named with the first entry that is not what was written. */
const ATTACKS: Record<string, { attack: (sql: Sql) => Promise<unknown>; seq: number | null; reason: string }> = {
  'changed text': {
    attack: (sql) => sql(`update audit_entry set entry = ${CHANGED} where id = ${TEXT_AT(4)}`),
    seq: 4,
    reason: 'entry_changed',
  },
  'changed text and hash': {
    attack: async (sql) => {
      await sql(`update audit_entry set entry = ${CHANGED} where id = ${TEXT_AT(4)}`);
      await sql(
        `update audit_seal s set hash = sha256(prev_hash || convert_to(entry, 'UTF8')),
                leaf_hash = sha256('\\x00'::bytea || convert_to(entry, 'UTF8'))
           from audit_entry e where e.id = s.entry_id and s.seq = 4`,
      );
    },
    seq: 4,
    reason: 'entry_changed',
  },
  'the whole chain rewritten with right hashes': {
    attack: async (sql) => {
      await sql(`update audit_entry set entry = ${CHANGED} where id = ${TEXT_AT(4)}`);
      await rehash(sql);
    },
    seq: 4,
    reason: 'history_rewritten',
  },
  'deleted entry': {
    attack: (sql) => sql(`delete from audit_entry where id = ${TEXT_AT(5)}`),
    seq: 5,
    reason: 'entry_deleted',
  },
  'deleted entry and seal': {
    attack: async (sql) => {
      await sql(`delete from audit_entry where id = ${TEXT_AT(5)}`);
      await sql('delete from audit_seal where seq = 5');
    },
    seq: 5,
    reason: 'entry_deleted',
  },
  'deleted entry, numbers closed up, chain rewritten with right hashes': {
    attack: async (sql) => {
      await sql(`delete from audit_entry where id = ${TEXT_AT(5)}`);
      await sql('delete from audit_seal where seq = 5');
      for (let seq = 6; seq < 10; seq++) await sql('update audit_seal set seq = seq - 1 where seq = $1', [seq]);
      await rehash(sql);
    },
    seq: 5,
    reason: 'history_rewritten',
  },
  'swapped entries': {
    attack: async (sql) => {
      await sql('update audit_seal set seq = 100 where seq = 3');
      await sql('update audit_seal set seq = 3 where seq = 6');
      await sql('update audit_seal set seq = 6 where seq = 100');
    },
    seq: 3,
    reason: 'entries_swapped',
  },
  'swapped entries, chain rewritten': {
    attack: async (sql) => {
      await sql('update audit_seal set seq = 100 where seq = 3');
      await sql('update audit_seal set seq = 3 where seq = 6');
      await sql('update audit_seal set seq = 6 where seq = 100');
      await rehash(sql);
    },
    seq: 3,
    reason: 'history_rewritten',
  },
  'a number that was skipped': {
    attack: async (sql) => {
      for (let seq = 9; seq > 5; seq--) await sql('update audit_seal set seq = seq + 1 where seq = $1', [seq]);
    },
    seq: 6,
    reason: 'sequence_gap',
  },
  'an inserted entry': {
    attack: async (sql) => {
      for (let seq = 9; seq > 5; seq--) await sql('update audit_seal set seq = seq + 1 where seq = $1', [seq]);
      await sql(
        `with forged as (
           insert into audit_entry (id, entry, entry_hmac, at, action, outcome)
           select gen_random_uuid(), ${CHANGED}, entry_hmac, at, action, outcome from audit_entry where id = ${TEXT_AT(2)}
           returning id, entry)
         insert into audit_seal (seq, entry_id, era, prev_hash, hash, leaf_hash, seal_hmac, sealed_at)
         select 6, f.id, s.era, s.hash, sha256(s.hash || convert_to(f.entry, 'UTF8')),
                sha256('\\x00'::bytea || convert_to(f.entry, 'UTF8')), s.seal_hmac, s.sealed_at
           from forged f, audit_seal s where s.seq = 5`,
      );
    },
    seq: 6,
    reason: 'entry_inserted',
  },
  'the texts of two entries exchanged': {
    attack: (sql) =>
      sql(
        `update audit_entry e set entry = o.entry from audit_entry o
          where (e.id = ${TEXT_AT(3)} and o.id = ${TEXT_AT(7)}) or (e.id = ${TEXT_AT(7)} and o.id = ${TEXT_AT(3)})`,
      ),
    seq: 3,
    reason: 'entries_swapped',
  },
  'changed previous hash': {
    attack: (sql) => sql(`update audit_seal set prev_hash = sha256('x') where seq = 7`),
    seq: 7,
    reason: 'column_changed',
  },
  'changed hash': {
    attack: (sql) => sql(`update audit_seal set hash = sha256('x') where seq = 7`),
    seq: 7,
    reason: 'column_changed',
  },
  'changed leaf hash': {
    attack: (sql) => sql(`update audit_seal set leaf_hash = sha256('x') where seq = 7`),
    seq: 7,
    reason: 'column_changed',
  },
  'changed MAC': {
    attack: (sql) => sql(`update audit_entry set entry_hmac = sha256('x') where id = ${TEXT_AT(2)}`),
    seq: 2,
    reason: 'entry_forged',
  },
  'MAC of another length': {
    attack: (sql) => sql(`update audit_entry set entry_hmac = substring(entry_hmac for 31) where id = ${TEXT_AT(2)}`),
    seq: 2,
    reason: 'entry_forged',
  },
  'no MAC': {
    attack: (sql) => sql(`update audit_entry set entry_hmac = '' where id = ${TEXT_AT(2)}`),
    seq: 2,
    reason: 'entry_forged',
  },
  'changed time of sealing': {
    attack: (sql) => sql(`update audit_seal set sealed_at = sealed_at - interval '1 microsecond' where seq = 2`),
    seq: 2,
    reason: 'seal_forged',
  },
  'changed horizon': {
    attack: (sql) => sql(`update audit_seal set horizon = '9999:9999:' where seq = 9`),
    seq: 9,
    reason: 'seal_forged',
  },
  'changed transaction id': {
    attack: (sql) => sql(`update audit_entry set xid = '3' where id = ${TEXT_AT(8)}`),
    seq: 8,
    reason: 'seal_forged',
  },
  'a search column that no longer follows its text': {
    attack: async (sql) => {
      await sql(`update audit_entry set actor = 'somebody-else' where id = ${TEXT_AT(6)}`);
    },
    seq: 6,
    reason: 'column_changed',
  },
  'a time column that no longer follows its text': {
    attack: async (sql) => {
      await sql(`update audit_entry set at = at + interval '1 microsecond' where id = ${TEXT_AT(6)}`);
    },
    seq: 6,
    reason: 'column_changed',
  },
  'the log of another origin': {
    attack: (sql) => sql(`update audit_log_origin set origin = 'tradeguard.local/other'`),
    seq: 0,
    reason: 'foreign_log',
  },
  'an entry sealed a second time at the end': {
    attack: async (sql) => {
      await sql('alter table audit_seal drop constraint audit_seal_entry_id_key');
      await sql(
        `insert into audit_seal (seq, entry_id, era, prev_hash, hash, leaf_hash, seal_hmac, sealed_at)
         select 10, e.id, s.era, l.hash, sha256(l.hash || convert_to(e.entry, 'UTF8')), s.leaf_hash, s.seal_hmac, s.sealed_at
           from audit_seal s join audit_entry e on e.id = s.entry_id, audit_seal l where s.seq = 3 and l.seq = 9`,
      );
    },
    seq: 10,
    reason: 'sealed_twice',
  },
  'an entry put in by hand where the sealer never looks': {
    attack: (sql) =>
      sql(
        `insert into audit_entry (id, xid, entry, entry_hmac, at, action, outcome)
         select gen_random_uuid(), '3', entry, entry_hmac, at, action, outcome from audit_entry where id = ${TEXT_AT(1)}`,
      ),
    seq: null,
    reason: 'entry_hidden',
  },
  'an entry that was changed before it was sealed': {
    attack: (sql) =>
      sql(
        `insert into audit_entry (id, entry, entry_hmac, at, action, outcome)
         select gen_random_uuid(), ${CHANGED}, entry_hmac, at, action, outcome from audit_entry where id = ${TEXT_AT(1)}`,
      ),
    seq: null,
    reason: 'changed_before_sealing',
  },
};

describe('[A1] [A3] tampering by a database administrator is detected and named', () => {
  let log: Log;
  beforeEach(async () => {
    log = await createLog();
    await log.append(...Array.from({ length: 10 }, (_, n) => n));
    await log.seal();
  });
  afterEach(() => log.close());

  it.each(Object.entries(ATTACKS))('%s', async (_name, { attack, seq, reason }) => {
    expect(await log.verify()).toMatchObject({ valid: true, checked: 10, firstInvalidSeq: null });
    await log.asDatabaseAdministrator(attack);
    const result = await log.verify();
    expect(result).toMatchObject({ valid: false, firstInvalidSeq: seq, reason, checked: seq ?? 10 });
  });

  it('a tail cut off since the last verification', async () => {
    await rememberVerification();
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 8)');
      await sql('delete from audit_seal where seq >= 8');
    });
    expect(await log.verify()).toMatchObject({
      valid: false,
      firstInvalidSeq: 8,
      reason: 'tail_truncated',
      checked: 8,
    });
  });

  it('a tail cut off and grown again to the same length with genuine entries', async () => {
    await rememberVerification();
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 8)');
      await sql('delete from audit_seal where seq >= 8');
    });
    await log.append('x', 'y', 'z');
    await log.seal();
    expect(await log.verify()).toMatchObject({ valid: false, firstInvalidSeq: 8, reason: 'tail_rewritten' });
  });

  it('an entry that a holder of the key sealed a second time', async () => {
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('alter table audit_seal drop constraint audit_seal_entry_id_key');
      const { rows } = await sql(
        `select e.id, e.n, e.era, e.xid, e.entry, l.hash as prev from audit_seal s join audit_entry e on e.id = s.entry_id,
                audit_seal l where s.seq = 3 and l.seq = 9`,
      );
      const { id, n, era, xid, entry, prev } = rows[0];
      const seal = {
        seq: 10,
        entryId: id,
        n,
        era: String(era),
        xid,
        prevHash: prev,
        hash: chainHash(prev, entry),
        leafHash: leafHash(entry),
        sealedAt: '2026-01-01T00:00:00.000000Z',
        horizon: null,
      };
      await sql(
        `insert into audit_seal (seq, entry_id, era, prev_hash, hash, leaf_hash, seal_hmac, sealed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [10, id, era, prev, seal.hash, seal.leafHash, sealHmac(log.auditKey, seal), seal.sealedAt],
      );
    });
    expect(await log.verify()).toMatchObject({ valid: false, firstInvalidSeq: 10, reason: 'sealed_twice' });
  });

  it('a forged entry that the sealer has taken in meanwhile', async () => {
    await log.asDatabaseAdministrator((sql) =>
      sql(
        `insert into audit_entry (id, entry, entry_hmac, at, action, outcome)
         select gen_random_uuid(), ${CHANGED}, entry_hmac, at, action, outcome from audit_entry where id = ${TEXT_AT(1)}`,
      ),
    );
    await log.append('later');
    await log.seal();
    expect(await log.verify()).toMatchObject({ valid: false, firstInvalidSeq: 10, reason: 'entry_forged' });
  });

  describe('with the tree', () => {
    beforeEach(async () => {
      for (let n = 10; n < 600; n += 100) await log.append(...Array.from({ length: 100 }, (_, at) => n + at));
      await log.seal(5_000);
    });

    it.each([
      ['a changed node', `update audit_tree_node set hash = sha256('x') where level = 8 and index = 1`, 256],
      ['a node that was taken out', 'delete from audit_tree_node where level = 8 and index = 0', 0],
    ])('%s', async (_name, statement, seq) => {
      expect(await log.verify()).toMatchObject({ valid: true });
      await asOwnerOfTree(statement);
      expect(await log.verify()).toMatchObject({ valid: false, firstInvalidSeq: seq, reason: 'tree_changed' });
    });

    it('a changed node of the upper levels', async () => {
      await asOwnerOfTree(`insert into audit_tree_node (level, index, hash) values (16, 0, sha256('x'))`);
      expect(await log.verify()).toMatchObject({ valid: false, firstInvalidSeq: 0, reason: 'tree_changed' });
    });
  });

  it('everything, to one who has another key', async () => {
    const other = createSecretKey(randomBytes(32));
    expect(await log.verify([other])).toMatchObject({ valid: false, firstInvalidSeq: 0, reason: 'history_rewritten' });
    expect(await log.verify([other, log.auditKey])).toMatchObject({ valid: true });
  });

  it('is not suspected while entries are written and sealed', async () => {
    const writing = (async () => {
      for (let index = 0; index < 60; index++) await log.append(index, index);
    })();
    const sealing = (async () => {
      for (let index = 0; index < 20; index++) await log.seal(7);
    })();
    for (let index = 0; index < 15; index++) expect(await log.verify()).toMatchObject({ valid: true, reason: null });
    await Promise.all([writing, sealing]);
    await log.seal();
    expect(await log.verify()).toMatchObject({ valid: true, checked: 130, unsealed: 0 });
  });

  const asOwnerOfTree = (statement: string) =>
    log.asDatabaseAdministrator(async (sql) => {
      await sql('alter table audit_tree_node disable trigger user');
      await sql(statement);
      await sql('alter table audit_tree_node enable trigger user');
    });

  async function rememberVerification(): Promise<void> {
    const result = await log.verify();
    const id = uuidV7();
    await log.db.transaction(async (tx) => {
      await requestVerification(tx, { id, requestedBy: null });
      await tx.execute(`update audit_verification set status = 'running'`);
      expect(await finishVerification(tx, id, result)).toBe(true);
    });
  }
});
