import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectForAudit } from '../../db/audit-connection.ts';
import { sealedRows, sealedRowsQuery } from '../../db/audit-rows.ts';
import { createLog } from './log-fixture.ts';

let log: Awaited<ReturnType<typeof createLog>>;
let client: pg.Client;
beforeAll(async () => {
  log = await createLog();
  client = await connectForAudit(log.ownerUrl);
  await log.append(...Array.from({ length: 300 }, (_, n) => n));
  await log.seal();
});
afterAll(async () => {
  await client?.end();
  await log?.close();
});

it('are looked up in the order of the seals: nothing reads all entries, and nothing waits for a sort', async () => {
  const { rows } = await client.query(`explain ${sealedRowsQuery({ from: 0, to: 300 })}`);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/Nested Loop Left Join/);
  expect(plan).toMatch(/Index Scan using audit_seal_pkey/);
  expect(plan).not.toMatch(/Sort|Seq Scan|Hash|Merge|Gather/);
});

it.each(['infinity', '-infinity', '294000-01-01 00:00:00+00'])('a time of %s is a changed column', async (at) => {
  await log.asDatabaseAdministrator((sql) =>
    sql('update audit_entry set at = $1 where id = (select entry_id from audit_seal where seq = 0)', [at]),
  );
  expect(await log.verify()).toMatchObject({ valid: false, firstInvalidSeq: 0, reason: 'column_changed' });
});

it('arrive as PostgreSQL has them, whatever the numbers and times are', async () => {
  const times = ['1969-12-31T23:59:59.999999Z', '1999-12-31T23:59:59.000001Z', '2000-01-01T00:00:00.000000Z'];
  times.push('2026-11-25T12:00:00.000009Z', '2026-11-25T12:00:00.900000Z', '2150-02-28T01:02:03.040506Z');
  const xids = ['3', '4294967295', '4294967296', '9007199254740991', '9007199254740993', '9223372036854775807'];
  await log.asDatabaseAdministrator(async (sql) => {
    for (const [seq, at] of times.entries()) {
      await sql(
        'update audit_entry set at = $1, xid = $2 where id = (select entry_id from audit_seal where seq = $3)',
        [at, xids[seq], seq],
      );
    }
  });
  const read: { at: string | null; xid: string }[] = [];
  for await (const { stored, xid } of sealedRows(client, { from: 0, to: times.length })) {
    read.push({ at: stored.at, xid });
  }
  expect(read).toEqual(times.map((at, seq) => ({ at, xid: xids[seq] })));
});
