import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createChainSealer, sealerLag } from '../../db/audit-seal.ts';
import { oneRow, rows } from '../../db/sql.ts';
import { createSealer, type Sealer } from '../../workers/sealer.ts';
import { eventually } from '../helpers/eventually.ts';
import { withDatabase } from '../helpers/template.ts';
import { createLog, event, type Log } from './log-fixture.ts';

const quiet = pino({ level: 'silent' });

describe('sealing', () => {
  let log: Log;
  let sealers: Sealer[];
  beforeEach(async () => {
    log = await createLog();
    sealers = [];
  });
  afterEach(async () => {
    await Promise.all(sealers.map((sealer) => sealer.stop()));
    await log.close();
  });

  function startSealer(batchSize?: number): Sealer {
    const sealer = createSealer({
      databaseUrl: log.url,
      auditKey: log.auditKey,
      log: quiet,
      ...(batchSize === undefined ? {} : { batchSize }),
    });
    sealer.start();
    sealers.push(sealer);
    return sealer;
  }

  const allSealed = async (count: number) => {
    const { lastSeq, unsealed } = await sealerLag(log.db.fork());
    return unsealed === 0 && lastSeq === count - 1;
  };
  const sealedCount = (count: number) =>
    eventually(() => allSealed(count), { what: `${count} sealed entries`, everyMs: 20 });

  /** 20 transactions at once, every third rolled back; labels of those that committed. */
  async function writeConcurrently(rounds: number): Promise<string[]> {
    const committed: string[] = [];
    for (let round = 0; round < rounds; round++) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, writer) => {
          const labels = [`${round}.${writer}.first`, `${round}.${writer}.second`];
          const isRolledBack = writer % 3 === 0;
          await log.db
            .transaction(async (tx) => {
              await log.audit.append(tx, event(labels[0]));
              await sleep(Math.random() * 10);
              await log.audit.append(tx, event(labels[1]));
              if (isRolledBack) throw new Error('rolled back');
            })
            .then(
              () => committed.push(...labels),
              (error: Error) => expect(error.message).toBe('rolled back'),
            );
        }),
      );
    }
    return committed;
  }

  async function expectExactly(labels: readonly string[]): Promise<void> {
    const sealed = await log.sealed();
    expect(sealed.map(({ seq }) => seq)).toEqual(labels.map((_, index) => index));
    expect(sealed.map(({ label }) => label).sort()).toEqual([...labels].sort());
    expect(await log.verify()).toMatchObject({ valid: true, checked: labels.length, unsealed: 0 });
    // Entries of one transaction keep their order.
    for (const first of sealed.filter(({ label }) => String(label).endsWith('.first'))) {
      const second = sealed.find(({ label }) => label === String(first.label).replace('first', 'second'));
      expect(second?.seq).toBeGreaterThan(first.seq);
    }
  }

  it('takes exactly what was committed, without gaps, while 20 writers run', async () => {
    startSealer();
    const committed = await writeConcurrently(10);
    await sealedCount(committed.length);
    await expectExactly(committed);
  });

  it('is done once by three sealers at once, in batches smaller than the load', async () => {
    for (let index = 0; index < 3; index++) startSealer(7);
    const committed = await writeConcurrently(10);
    await sealedCount(committed.length);
    await expectExactly(committed);
  });

  it('is done once by many callers that know nothing of each other', async () => {
    const committed = await writeConcurrently(5);
    const work = async () => {
      const client = await log.connect(log.url);
      const sealer = createChainSealer({ auditKey: log.auditKey, batchSize: 11 });
      let isBusy = 0;
      for (;;) {
        const result = await sealer.seal(client);
        if (result.outcome === 'busy') isBusy += 1;
        if (result.outcome === 'sealed' && !result.more) return isBusy;
      }
    };
    await Promise.all(Array.from({ length: 6 }, work));
    await expectExactly(committed);
  });

  it('keeps the order of entries inside a transaction that writes more than a batch', async () => {
    const labels = Array.from({ length: 250 }, (_, index) => index);
    await log.append(...labels);
    expect(await log.seal(40)).toBe(250);
    expect((await log.sealed()).map(({ label }) => label)).toEqual(labels);
  });

  it('seals nothing where the chain does not end as the caller knows it, and says where it ends', async () => {
    await log.append('a', 'b');
    await log.seal();
    await log.append('c');
    const client = await log.connect(log.url);
    const sealer = createChainSealer({ auditKey: log.auditKey });
    for (const stale of [-1, 0, 2]) {
      expect(await sealer.seal(client, stale)).toMatchObject({ outcome: 'moved', end: { seq: 1 } });
      expect(await log.sealed()).toHaveLength(2);
    }
    expect(await sealer.seal(client, 1)).toMatchObject({ outcome: 'sealed', count: 1, end: { seq: 2 } });
    expect(await log.verify()).toMatchObject({ valid: true, checked: 3, unsealed: 0 });
  });

  it('tells of an end that was cut off between two batches, and seals on', async () => {
    const told: unknown[] = [];
    const sealer = createSealer({
      databaseUrl: log.url,
      auditKey: log.auditKey,
      log: pino({ level: 'error' }, { write: (line: string) => told.push(JSON.parse(line)) }),
    });
    sealers.push(sealer);
    sealer.start();
    await log.append('a', 'b', 'c');
    await sealedCount(3);
    // Entries keep coming, so the sealer does not look before it seals.
    let isOver = false;
    const coming = (async () => {
      while (!isOver) await log.append('more');
    })();
    try {
      await eventually(async () => (await log.sealed()).length > 20, { what: 'a sealer at work' });
      // Under the sealer's lock: with a batch in between it would be a gap, which verification names, and no cut.
      await log.asDatabaseAdministrator((sql) =>
        sql(`begin; select pg_advisory_xact_lock(hashtextextended('tradeguard.audit-seal', 0));
             delete from audit_seal where seq >= (select max(seq) - 5 from audit_seal); commit`),
      );
      await eventually(() => told.length > 0, { what: 'the word of it' });
      const { length } = await log.sealed();
      await eventually(async () => (await log.sealed()).length > length, { what: 'more seals' });
    } finally {
      isOver = true;
      await coming;
    }
    expect(told[0]).toMatchObject({ msg: 'the end of the audit log was cut off' });
  });

  it('rolls back with a session that is killed in the middle, and goes on with the next', async () => {
    await log.append('a', 'b', 'c');
    const client = await log.connect(log.url);
    // The lock, the hashes and the insert are done; only the commit is missing.
    const cut = { query: (text: unknown, params?: unknown) => cutBeforeCommit(text, params) } as typeof client;
    async function cutBeforeCommit(text: unknown, params: unknown) {
      if (text === 'commit') {
        const { pid } = (await client.query('select pg_backend_pid() as pid')).rows[0];
        const seals = await client.query('select count(*)::integer as count from audit_seal');
        expect(seals.rows[0].count).toBe(3);
        await rows(log.db.fork(), 'select pg_terminate_backend($1)', [pid]);
      }
      return client.query(text as string, params as unknown[]);
    }
    await expect(createChainSealer({ auditKey: log.auditKey }).seal(cut)).rejects.toThrow();
    expect(await log.sealed()).toEqual([]);
    expect(await log.seal()).toBe(3);
    expect(await log.verify()).toMatchObject({ valid: true, checked: 3 });
  });

  it('does not wait for a write transaction that stays open, here or in another database of the cluster', async () => {
    startSealer();
    await log.append('before');
    await sealedCount(1);
    const here = await log.connect(log.url);
    await here.query('begin');
    await here.query(`insert into once (key, result) values ('held-open', 'null')`);
    const elsewhere = await log.connect(withDatabase(log.ownerUrl, 'postgres'));
    await elsewhere.query('begin');
    await elsewhere.query('select pg_current_xact_id()');

    const lags: number[] = [];
    for (let index = 0; index < 60; index++) {
      const started = performance.now();
      await log.append(index);
      await eventually(() => allSealed(index + 2), { everyMs: 5, timeoutMs: 5_000, what: `seal of entry ${index}` });
      lags.push(performance.now() - started);
    }
    lags.sort((a, b) => a - b);
    expect(lags[56]).toBeLessThan(250);
    await here.query('rollback');
    await elsewhere.query('rollback');
  });

  it('takes the entry of a transaction that was open while thousands of later ones were sealed', async () => {
    const late = await log.connect(log.url);
    await late.query('begin');
    await late.query('select pg_current_xact_id()');
    for (let index = 0; index < 5; index++) {
      await log.append(...Array.from({ length: 300 }, (_, n) => `${index}.${n}`));
      expect(await log.seal(70)).toBe(300);
    }
    const entry = await anEntryOf(log, 'late');
    const columns = Object.keys(entry);
    await late.query(
      `insert into audit_entry (${columns}) values (${columns.map((_, index) => `$${index + 1}`)})`,
      Object.values(entry),
    );
    expect(await log.seal()).toBe(0);
    await late.query('commit');
    expect(await log.seal()).toBe(1);
    expect((await log.sealed()).at(-1)).toMatchObject({ seq: 1500, entryId: entry.id, label: 'late' });
    expect(await log.verify()).toMatchObject({ valid: true, checked: 1501 });
  });

  it('reads only what is new, however long the log is', async () => {
    const readsWith = async (entries: number) => {
      for (let n = 0; n < entries; n += 500) await log.append(...Array.from({ length: 500 }, (_, at) => at));
      await log.seal(499);
      await log.append('new');
      return blocksRead(log);
    };
    const before = await readsWith(1_000);
    // The new one may begin a page of an index, and the tree of one may have got a level more.
    expect(await readsWith(9_000)).toBeLessThanOrEqual(before + 6);
  });

  it('fails over within seconds when the sealer at work stops, and never has two at work for long', async () => {
    const first = startSealer();
    await log.append('a');
    await sealedCount(1);
    const second = startSealer();
    await eventually(() => second.status().role === 'standby', { what: 'the second to stand by' });
    for (let index = 0; index < 20; index++) {
      await log.append(index);
      await sleep(30);
    }
    await sealedCount(21);
    expect(first.status()).toMatchObject({ role: 'active', sealed: 21 });
    expect(second.status()).toMatchObject({ role: 'standby', sealed: 0 });
    await first.stop();
    const stopped = performance.now();
    await log.append('after');
    await sealedCount(22);
    expect(performance.now() - stopped).toBeLessThan(3_000);
    expect(second.status().role).toBe('active');
  });

  it('goes over from a process that is paused, which then stands by when it runs on', async () => {
    const paused = spawn(process.execPath, [join(import.meta.dirname, 'sealer-process.ts')], {
      env: { DATABASE_URL: log.url, AUDIT_KEY: log.auditKey.export().toString('base64') },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    try {
      await log.append('a');
      await sealedCount(1);
      const other = startSealer();
      await eventually(() => other.status().role === 'standby', { what: 'the second to stand by' });
      paused.kill('SIGSTOP');
      await log.append('b');
      await sealedCount(2);
      expect(other.status()).toMatchObject({ role: 'active', sealed: 1 });
      paused.kill('SIGCONT');
      await sleep(300);
      for (let index = 0; index < 20; index++) {
        await log.append(index);
        await sleep(40);
      }
      await sealedCount(22);
      expect(other.status()).toMatchObject({ role: 'active', sealed: 21 });
    } finally {
      paused.kill('SIGKILL');
    }
  });

  it('connects again when its session is ended', async () => {
    const sealer = startSealer();
    await log.append('a');
    await sealedCount(1);
    for (const label of ['b', 'c']) {
      await rows(
        log.db.fork(),
        `select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'tradeguard-sealer' and datname = current_database()`,
      );
      await log.append(label);
    }
    await sealedCount(3);
    expect(sealer.status().role).toBe('active');
    expect(await log.verify()).toMatchObject({ valid: true, checked: 3 });
  });

  it('is freed within seconds from a process that was paused in the middle of a batch', async () => {
    const paused = await log.connect(log.url);
    await paused.query(`set idle_in_transaction_session_timeout = '3s'`);
    await paused.query('begin');
    await paused.query(`select pg_advisory_xact_lock(hashtextextended('tradeguard.audit-seal', 0))`);
    startSealer();
    await log.append('a');
    await sealedCount(1);
  });

  it('tells how far it is behind', async () => {
    expect(await sealerLag(log.db.fork())).toEqual({ unsealed: 0, oldestUnsealedMs: 0, lastSeq: null });
    await log.append('a', 'b');
    await sleep(50);
    const behind = await sealerLag(log.db.fork());
    expect(behind).toMatchObject({ unsealed: 2, lastSeq: null });
    expect(behind.oldestUnsealedMs).toBeGreaterThanOrEqual(40);
    await log.seal();
    expect(await sealerLag(log.db.fork())).toEqual({ unsealed: 0, oldestUnsealedMs: 0, lastSeq: 1 });
  });

  it('after a restore into another cluster seals the remainder first and begins an era of its own', async () => {
    await log.append('sealed in the old cluster');
    await log.seal();
    await log.append('left over');
    await log.asDatabaseAdministrator(async (sql) => {
      await sql(`update audit_era set cluster = 'the old one'`);
      // The old cluster had counted further than this one has.
      await sql(`update audit_entry set xid = '900000000000' where id not in (select entry_id from audit_seal)`);
    });
    await log.append('written before the sealer came');
    expect((await log.sealed()).map(({ label }) => label)).toEqual(['sealed in the old cluster']);
    await log.seal();
    await log.append('of the new era');
    await log.seal();
    expect((await log.sealed()).map(({ label }) => label)).toEqual([
      'sealed in the old cluster',
      'written before the sealer came',
      'left over',
      'of the new era',
    ]);
    const eras = await rows<{ era: number }>(
      log.db.fork(),
      'select e.era from audit_seal s join audit_entry e on e.id = s.entry_id order by s.seq',
    );
    expect(eras.map(({ era }) => era)).toEqual([0, 0, 0, 1]);
    expect(await log.verify()).toMatchObject({ valid: true, checked: 4, unsealed: 0 });
  });
});

/** A genuine entry that is not in the log: written and rolled back. */
async function anEntryOf(log: Log, label: string) {
  let found: { id: string } | undefined;
  await log.db
    .transaction(async (tx) => {
      await log.audit.append(tx, event(label));
      found = await oneRow(
        tx,
        `select id, entry, entry_hmac, at, action, actor, subject, outcome, severity
           from audit_entry where xid = pg_current_xact_id() order by n desc limit 1`,
      );
      throw new Error('rolled back');
    })
    .catch(() => {});
  if (found === undefined) throw new Error('no entry was written');
  return found;
}

/** Pages that a look for pending entries touches, the catalogue's apart: the second look in a session. */
function blocksRead(log: Log): Promise<number> {
  return log.db.transaction(async (tx) => {
    await rows(tx, `select * from audit_pending('0', 0, 5000)`);
    const [plan] = await rows<{ 'QUERY PLAN': { Plan: Record<string, number> }[] }>(
      tx,
      `explain (analyze, buffers, format json) select * from audit_pending('0', 0, 5000)`,
    );
    const top = plan?.['QUERY PLAN'][0]?.Plan ?? {};
    return (top['Shared Hit Blocks'] ?? 0) + (top['Shared Read Blocks'] ?? 0);
  });
}
