import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { strayAuditEntries } from '../../db/audit-months.ts';
import { rows } from '../../db/sql.ts';
import { createSealer } from '../../workers/sealer.ts';
import { eventually } from '../helpers/eventually.ts';
import { createLog, type Log } from './log-fixture.ts';

describe('the months of the audit log', () => {
  let log: Log;
  beforeEach(async () => {
    log = await createLog();
  });
  afterEach(() => log.close());

  const tables = async () =>
    (
      await rows<{ name: string }>(
        log.ownerDb.fork(),
        `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
          where i.inhparent = 'audit_entry'::regclass order by c.relname`,
      )
    ).map(({ name }) => name);
  const monthOf = (ahead: number) => {
    const now = new Date();
    const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1));
    return `audit_entry_${month.toISOString().slice(0, 7).replace('-', '')}`;
  };
  const AHEAD = [0, 1, 2, 3];

  it('[A7] are made three ahead, and missing ones are made by the sealer', async () => {
    expect(await tables()).toEqual([...AHEAD.map(monthOf), 'audit_entry_rest']);
    for (const ahead of [1, 3]) await rows(log.ownerDb.fork(), `drop table ${monthOf(ahead)}`);
    const sealer = createSealer({ databaseUrl: log.url, auditKey: log.auditKey, log: pino({ level: 'silent' }) });
    sealer.start();
    try {
      await eventually(async () => (await tables()).length === 5, { what: 'the missing months' });
    } finally {
      await sealer.stop();
    }
    expect(await tables()).toEqual([...AHEAD.map(monthOf), 'audit_entry_rest']);
  });

  it('refuse a change by their owner, new ones too', async () => {
    await log.append('a');
    await expect(rows(log.ownerDb.fork(), `delete from ${monthOf(0)}`)).rejects.toThrow(/append-only/);
    await expect(rows(log.ownerDb.fork(), `truncate ${monthOf(3)}`)).rejects.toThrow(/append-only/);
    await expect(rows(log.db.fork(), `select 1 from ${monthOf(0)}`)).rejects.toThrow(/permission denied/);
  });

  it('take entries as they come, and what has no month of its own is kept, sealed and told', async () => {
    await log.append('a', 'b');
    await rows(log.ownerDb.fork(), `alter table audit_entry detach partition ${monthOf(0)}`);
    await rows(log.ownerDb.fork(), `alter table ${monthOf(0)} rename to set_aside`);
    await log.append('c');
    expect(await strayAuditEntries(log.db.fork())).toBe(1);
    // The month has begun without a table, so none is made for it; the ones to come are.
    await rows(log.ownerDb.fork(), 'select audit_entry_maintain()');
    expect(await tables()).toEqual([...[1, 2, 3].map(monthOf), 'audit_entry_rest']);
    expect(await log.seal()).toBe(1);
    expect((await log.sealed()).map(({ label }) => label)).toEqual(['c']);
  });
});
