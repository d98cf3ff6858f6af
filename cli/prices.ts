import type { Command } from 'commander';
import type { DatedPrice, PriceImport } from '../db/prices.ts';

interface ImportFlags {
  readonly dataDir: string;
  readonly json?: boolean;
}

const BATCH = 1_000;

/** `tradeguard prices ...`: the market's prices where no feed brings them. */
export function registerPrices(program: Command): void {
  const prices = program.command('prices').description('prices of instruments');
  prices
    .command('import')
    .description(
      'read a dated table (CSV: instrument,at,price and maybe name,currency); the same table twice is harmless',
    )
    .argument('<file>', 'CSV with a heading line')
    .option('--data-dir <folder>', 'of an installation that runs on this machine', process.env.DATA_DIR || '.data')
    .option('--json', 'print the result as JSON')
    .action(importFile);
}

async function importFile(file: string, flags: ImportFlags): Promise<void> {
  const [{ createOrm }, { createAuditLog }, { recordPrices }, { readPriceTable }, { installationConfig }] =
    await Promise.all([
      import('../db/orm.ts'),
      import('../db/audit.ts'),
      import('../db/prices.ts'),
      import('./price-table.ts'),
      import('./installation-config.ts'),
    ]);
  const { databaseUrl, auditKey, baseCurrency } = installationConfig(flags.dataDir);
  // The whole table is read and checked first: a fault in its last line leaves nothing half imported.
  const table = await readPriceTable(file, baseCurrency);
  const db = await createOrm({ databaseUrl, poolMax: 2, applicationName: 'tradeguard-prices' });
  try {
    const total = await db.transaction(async (tx) => {
      const sum: PriceImport = { newInstruments: 0, inserted: 0, unchanged: 0, conflicting: [] };
      for (let from = 0; from < table.length; from += BATCH) {
        const part = await recordPrices(tx, table.slice(from, from + BATCH), 'import');
        sum.newInstruments += part.newInstruments;
        sum.inserted += part.inserted;
        sum.unchanged += part.unchanged;
        sum.conflicting.push(...part.conflicting);
      }
      await createAuditLog({ auditKey }).append(tx, {
        action: 'price.imported',
        actor: { kind: 'operator' },
        subject: { kind: 'price_table', id: 'command-line' },
        outcome: 'success',
        details: { lines: table.length, inserted: sum.inserted, newInstruments: sum.newInstruments },
      });
      return sum;
    });
    console.log(flags.json ? JSON.stringify(total) : sentence(table, total));
    process.exitCode = total.conflicting.length > 0 ? 1 : 0;
  } finally {
    await db.close();
  }
}

function sentence(table: readonly DatedPrice[], total: PriceImport): string {
  const first = total.conflicting[0];
  const kept =
    first === undefined
      ? ''
      : ` ${total.conflicting.length} were left out: another price is recorded for ${first.instrument} at ${first.at}` +
        `${total.conflicting.length > 1 ? ' and others' : ''}.`;
  return (
    `${table.length} lines: ${total.inserted} new prices, ${total.unchanged} known, ` +
    `${total.newInstruments} new instruments.${kept}`
  );
}
