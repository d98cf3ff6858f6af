import type { Command } from 'commander';
import type { RateImport } from '../db/exchange-rates.ts';

interface Flags {
  readonly dataDir: string;
  readonly json?: boolean;
}

const BATCH = 1_000;

/** `tradeguard rates ...`: what other currencies are in the base currency. */
export function registerRates(program: Command): void {
  const rates = program.command('rates').description('exchange rates to the base currency');
  const command = (name: string, description: string) =>
    rates
      .command(name)
      .description(description)
      .option('--data-dir <folder>', 'of an installation that runs on this machine', process.env.DATA_DIR || '.data')
      .option('--json', 'print the result as JSON');
  command(
    'import',
    'read a dated table (CSV: currency,at,rate; units of the base currency for one unit); the same table twice is harmless',
  )
    .argument('<file>', 'CSV with a heading line')
    .action(importFile);
  command('list', 'the rate in force of every currency that has one').action(list);
}

async function importFile(file: string, flags: Flags): Promise<void> {
  const [{ createOrm }, { createAuditLog }, { recordRates }, { readRateTable }, { installationConfig }] =
    await Promise.all([
      import('../db/orm.ts'),
      import('../db/audit.ts'),
      import('../db/exchange-rates.ts'),
      import('./rate-table.ts'),
      import('./installation-config.ts'),
    ]);
  const { databaseUrl, auditKey, baseCurrency } = installationConfig(flags.dataDir);
  // The whole table is read and checked first: a fault in its last line leaves nothing half imported.
  const table = await readRateTable(file, baseCurrency);
  const db = await createOrm({ databaseUrl, poolMax: 2, applicationName: 'tradeguard-rates' });
  try {
    const total = await db.transaction(async (tx) => {
      const sum: RateImport = { inserted: 0, unchanged: 0, conflicting: [] };
      for (let from = 0; from < table.length; from += BATCH) {
        const part = await recordRates(tx, baseCurrency, table.slice(from, from + BATCH), 'import');
        sum.inserted += part.inserted;
        sum.unchanged += part.unchanged;
        sum.conflicting.push(...part.conflicting);
      }
      await createAuditLog({ auditKey }).append(tx, {
        action: 'exchange_rate.imported',
        actor: { kind: 'operator' },
        subject: { kind: 'exchange_rate_table', id: 'command-line' },
        outcome: 'success',
        details: { lines: table.length, inserted: sum.inserted, conflicting: sum.conflicting.length },
      });
      return sum;
    });
    console.log(flags.json ? JSON.stringify(total) : sentence(table.length, total));
    process.exitCode = total.conflicting.length > 0 ? 1 : 0;
  } finally {
    await db.close();
  }
}

async function list(flags: Flags): Promise<void> {
  const [{ createOrm }, { listRates }, { formatRate }, { installationConfig }] = await Promise.all([
    import('../db/orm.ts'),
    import('../db/exchange-rates.ts'),
    import('../domain/exchange.ts'),
    import('./installation-config.ts'),
  ]);
  const { databaseUrl, baseCurrency, rateMaxAge } = installationConfig(flags.dataDir);
  const db = await createOrm({ databaseUrl, poolMax: 2, applicationName: 'tradeguard-rates' });
  try {
    const found = (await listRates(db.fork(), baseCurrency)).map(({ currency, rate, at, ageMs }) => ({
      currency,
      baseCurrency,
      rate: formatRate(rate),
      ratedAt: at,
      stale: ageMs > rateMaxAge,
    }));
    if (flags.json) return void console.log(JSON.stringify(found, null, 2));
    if (found.length === 0) console.log(`There are no rates to ${baseCurrency}.`);
    for (const { currency, rate, ratedAt, stale } of found) {
      console.log(`${currency}  ${rate} ${baseCurrency}  ${ratedAt}${stale ? '  too old' : ''}`);
    }
  } finally {
    await db.close();
  }
}

function sentence(lines: number, total: RateImport): string {
  const first = total.conflicting[0];
  const kept =
    first === undefined
      ? ''
      : ` ${total.conflicting.length} were left out: another rate is recorded for ${first.currency} at ${first.at}` +
        `${total.conflicting.length > 1 ? ' and others' : ''}.`;
  return `${lines} lines: ${total.inserted} new rates, ${total.unchanged} known.${kept}`;
}
