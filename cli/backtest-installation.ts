import { countRecorded, readRecorded } from '../db/backtest-source.ts';
import { createOrm } from '../db/orm.ts';
import { activeVersions, findDocument } from '../db/rule-sets.ts';
import { currencyExponent } from '../domain/money.ts';
import type { InstallationAccess } from './backtest-rule-sets.ts';
import { installationConfig } from './installation-config.ts';

/** A page of the largest rows is some megabytes; the first ones of a large table may have to be sorted. */
const LIMITS = { kept: 1, acquireTimeout: 5_000, idleTimeout: 30_000, statementTimeout: 300_000 } as const;

/**
 * Connects to the database of an installation as the role of the application. It writes nothing.
 * @throws ConfigError when neither the environment nor the data folder says where it is
 */
export async function openInstallation(dataDir: string): Promise<InstallationAccess> {
  const { databaseUrl, baseCurrency, stepUpAmount } = installationConfig(dataDir);
  const db = await createOrm({ databaseUrl, poolMax: 1, applicationName: 'tradeguard-backtest', limits: LIMITS });
  return {
    document: (version) => findDocument(db.fork(), version),
    liveVersion: async () => (await activeVersions(db.fork())).live,
    async recorded({ imported = false }, { period }) {
      const query = { imported, before: period.to, exponent: currencyExponent(baseCurrency) };
      let read = 0;
      async function* pages() {
        for await (const page of readRecorded(db.fork(), query)) {
          read += page.length;
          yield page;
        }
      }
      return {
        currency: baseCurrency,
        stepUpAmount,
        pages: pages(),
        total: await countRecorded(db.fork(), query),
        done: () => read,
      };
    },
    close: () => db.close(),
  };
}
