import { type Command, InvalidArgumentError } from 'commander';
import type { BacktestFlags } from './backtest-run.ts';

/** `tradeguard backtest`: what rule sets would have decided. docs/backtest.md tells the details. */
export function registerBacktest(program: Command): void {
  program
    .command('backtest')
    .description('judge recorded transactions with rule sets, and say what they would have held and how right that was')
    .option(
      '--rule-set <set...>',
      'v1, v2, v3, recommended, an id of the installation, or a FILE.json; several at once',
    )
    .option('--base <set>', 'rule set to compare with (default: v1 with --data, else the live one)')
    .option('--data <file>', 'recorded transactions as CSV, .gz too; without it those of the installation')
    .option('--from <time>', 'count transactions from this time on (RFC 3339 or a day); earlier ones warm up')
    .option('--to <time>', 'and before this one')
    .option('--test-from <time>', 'hold scores against labels from this time on (default: the whole period)')
    .option('--test-to <time>', 'and before this one')
    .option('--label-delay <duration>', 'when the rules learn of a label of the file, for instance 7d or 36h', '7d')
    .option('--threshold <score>', 'hold above this score, 0 to 1 (default: as each rule set says)')
    .option('--step-up-amount <amount>', 'ask for a factor above this amount (default: as configured, else 10000)')
    .option('--reviewers <n>', 'among how many the alerts are shared out', count, 1)
    .option('--scores <file>', 'write tx_id and score of every row, as CSV')
    .option('--html <file>', 'write the report as one page, with its plots')
    .option('--json', 'print the result as JSON')
    .option('--imported', 'of the installation, judge what replays have imported, and nothing else')
    .option('--data-dir <folder>', 'data folder of the installation', process.env.DATA_DIR || '.data')
    .action(async (flags: BacktestFlags) => {
      const interrupted = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
      const { backtest } = await import('./backtest-run.ts');
      const { complete, output } = await backtest(flags, interrupted.signal);
      console.log(output);
      if (complete) return;
      console.error('\nStopped: the report is of what was read until then. No scores were written.');
      process.exitCode = 130;
    });
}

function count(value: string): number {
  if (!/^[1-9]\d{0,4}$/.test(value)) throw new InvalidArgumentError('Write a whole number above 0.');
  return Number(value);
}
