import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows } from '../../db/sql.ts';
import { createLog, type Log } from './log-fixture.ts';

describe('the audit log is append-only', () => {
  let log: Log;
  beforeAll(async () => {
    log = await createLog();
    await log.append('a', 'b');
    await log.seal();
    // The first node comes with entry 256: a trigger for each row needs one.
    await rows(log.ownerDb.fork(), `insert into audit_tree_node (level, index, hash) values (8, 0, sha256('x'))`);
  });
  afterAll(() => log.close());

  const attempts = [
    ['update', `update audit_entry set entry = entry`],
    ['update of the MAC', `update audit_entry set entry_hmac = entry_hmac`],
    ['delete', 'delete from audit_entry'],
    ['truncate', 'truncate audit_entry'],
    ['truncate of a month', 'truncate audit_entry_rest'],
    ['truncate by way of others', 'truncate audit_entry, audit_seal cascade'],
    ['update of seals', 'update audit_seal set sealed_at = sealed_at'],
    ['delete of seals', 'delete from audit_seal'],
    ['truncate of seals', 'truncate audit_seal'],
    ['update of the tree', 'update audit_tree_node set hash = hash'],
    ['delete of the tree', 'delete from audit_tree_node'],
    ['truncate of the tree', 'truncate audit_tree_node'],
    ['update of the origin', `update audit_log_origin set origin = 'other'`],
    ['delete of the origin', 'delete from audit_log_origin'],
    ['truncate of the origin', 'truncate audit_log_origin'],
    ['update of eras', `update audit_era set cluster = 'other'`],
    ['delete of eras', 'delete from audit_era'],
  ] as const;

  it.each(attempts)('[A4] the application role is refused: %s', async (_name, statement) => {
    await expect(rows(log.db.fork(), statement)).rejects.toThrow(/permission denied/);
  });

  it.each(attempts)('[A4] the owner is refused by trigger: %s', async (_name, statement) => {
    await expect(rows(log.ownerDb.fork(), statement)).rejects.toThrow(/append-only/);
  });

  it.each([
    ['takes a trigger away', 'alter table audit_entry disable trigger user'],
    ['drops a table', 'drop table audit_seal'],
    [
      'names the transaction of its entry',
      `insert into audit_entry (id, xid, entry, entry_hmac) values
      (gen_random_uuid(), '1', '{"at":"2026-01-01T00:00:00.000000Z","action":"a.b"}', decode(repeat('00', 32), 'hex'))`,
    ],
    [
      'names the era of its entry',
      `insert into audit_entry (id, era, entry, entry_hmac) values
      (gen_random_uuid(), 7, '{"at":"2026-01-01T00:00:00.000000Z","action":"a.b"}', decode(repeat('00', 32), 'hex'))`,
    ],
    ['gives the log another origin', `insert into audit_log_origin (id, origin) values (true, 'x')`],
    ['begins an era by hand', `insert into audit_era (era, cluster) values (7, 'x')`],
  ])('the application role cannot: %s', async (_name, statement) => {
    await expect(rows(log.db.fork(), statement)).rejects.toThrow(/permission denied|must be owner/);
  });

  it('asking for a new era changes nothing in the cluster that holds the log', async () => {
    expect(await rows(log.db.fork(), 'select audit_begin_era() as era')).toEqual([{ era: 0 }]);
  });

  it('refuses what is not strict JSON, and the change it belongs to with it', async () => {
    await expect(log.append(Number.NaN)).rejects.toThrow(/not a finite number/);
    await expect(log.append('\ud800')).rejects.toThrow(/surrogate/);
    expect(await log.sealed()).toHaveLength(2);
  });
});
