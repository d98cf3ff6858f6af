import { type Command, InvalidArgumentError } from 'commander';
import type { FitFlags } from './rules-fit-run.ts';

const number = (name: string, isRight: (value: number) => boolean) => (text: string) => {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !isRight(value)) throw new InvalidArgumentError(`Write ${name}.`);
  return value;
};

/** `tradeguard rules fit`: a rule set proposed from labelled history. docs/scorecard.md tells the details. */
export function registerRulesFit(rules: Command): void {
  rules
    .command('fit')
    .description('propose a scorecard from labelled transactions, as a draft that anybody can read')
    .requiredOption('--data <file>', 'recorded transactions as CSV with labels, .gz too (docs/backtest.md)')
    .option('--label-delay <duration>', 'when a label becomes known after its transaction', '7d')
    .option('--train-to <time>', 'learn from what lies before this time only (RFC 3339 or a day)')
    .option('--test-from <time>', 'hold the proposal against what lies from this time on (default: the last quarter)')
    .option('--test-to <time>', 'and before this one')
    .option(
      '--target-precision <share>',
      'share of frauds wanted among what is held',
      number('a share such as 0.95', (value) => value > 0 && value < 1),
      0.95,
    )
    .option(
      '--max-characteristics <n>',
      'at most so many in the card',
      number('a number from 1 to 40', (value) => Number.isInteger(value) && value >= 1 && value <= 40),
      12,
    )
    .option(
      '--seed <n>',
      'of the sample that is drawn where the file is very large',
      number('a whole number', (value) => Number.isSafeInteger(value)),
      1,
    )
    .option('--out <file>', 'write the document as JSON, for `rules check`, `rules save` or `backtest --rule-set`')
    .option('--json', 'print document and report as JSON')
    .action(async (flags: FitFlags) => {
      const interrupted = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
      const { fitRules } = await import('./rules-fit-run.ts');
      const output = await fitRules(flags, interrupted.signal);
      if (output !== null) {
        console.log(output);
        return;
      }
      console.error('\nStopped. Nothing was written.');
      process.exitCode = 130;
    });
}
