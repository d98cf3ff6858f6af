import type { KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createChainSealer } from '../db/audit-seal.ts';

const BUSY_PAUSE_MS = 50;
const TIMEOUT_MS = 60_000;

/**
 * Seals everything that waits, beside workers that may be doing the same, and returns when nothing waits any more.
 * @throws when that takes more than a minute, and the database's errors
 */
export async function sealLog(databaseUrl: string, auditKey: KeyObject): Promise<void> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'tradeguard-sealer',
    pipeline: true,
    options: '-c lock_timeout=10000 -c timezone=UTC',
  });
  client.on('error', () => {});
  await client.connect();
  try {
    const sealer = createChainSealer({ auditKey });
    await sealer.enterEra(client);
    for (const deadline = Date.now() + TIMEOUT_MS; ; ) {
      const result = await sealer.seal(client);
      if (result.outcome === 'sealed' && !result.more) break;
      if (Date.now() > deadline) throw new Error('The audit log was not sealed within a minute.');
      if (result.outcome === 'busy') await sleep(BUSY_PAUSE_MS);
    }
  } finally {
    await client.end();
  }
}
