import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sealerLag, sealingBacklog } from '../../db/audit-seal.ts';
import { readBacklog } from '../../db/operations.ts';
import { createLog, type Log } from './log-fixture.ts';

describe('who watches over the sealer', () => {
  let log: Log;
  beforeEach(async () => {
    log = await createLog();
    await log.append('a', 'b');
    await log.seal();
  });
  afterEach(() => log.close());

  const waits = () => readBacklog(log.db.fork());

  it('sees nothing where everything is sealed', async () => {
    expect(await waits()).toMatchObject({ unsealed: 0, unsealedSeconds: 0 });
  });

  it('sees what waits for hours as well as what came just now', async () => {
    await log.append('c');
    expect(await waits()).toMatchObject({ unsealed: 1 });
    await log.asDatabaseAdministrator((sql) =>
      sql(`update audit_entry set at = at - interval '3 hours' where id not in (select entry_id from audit_seal)`),
    );
    const { unsealed, unsealedSeconds } = await waits();
    expect(unsealed).toBe(1);
    expect(unsealedSeconds).toBeGreaterThan(3 * 3600);
  });

  it.each([
    ['of a transaction that the sealer believes it has seen', `update audit_entry set xid = '3'`],
    ['of an era that the sealer has not entered', 'update audit_entry set era = 7'],
  ])('sees an entry %s', async (_, change) => {
    await log.append('hidden');
    await log.asDatabaseAdministrator((sql) =>
      sql(`${change}, at = at - interval '2 minutes' where id not in (select entry_id from audit_seal)`),
    );
    expect(await sealerLag(log.db.fork())).toMatchObject({ unsealed: 0, oldestUnsealedMs: 0 });
    for (const recent of ['1 hour', '1 day'] as const) {
      const { unsealed, oldestSeconds } = await sealingBacklog(log.db.fork(), recent);
      expect(unsealed).toBe(1);
      expect(oldestSeconds).toBeGreaterThan(119);
    }
  });
});
