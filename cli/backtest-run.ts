import { statSync, writeFileSync } from 'node:fs';
import { currencyExponent, formatAmount } from '../domain/money.ts';
import { type BacktestOptions, type BacktestRow, runBacktest, type Window } from '../domain/risk/backtest.ts';
import type { BacktestResult } from '../domain/risk/backtest-result.ts';
import type { RuleEngine } from '../domain/risk/rule-engine.ts';
import { MICROS_PER_MILLISECOND, type Micros } from '../domain/time.ts';
import { openBacktestFile, parseDuration } from './backtest-file.ts';
import { createBacktestProgress } from './backtest-progress.ts';
import { type InstallationAccess, openRuleSets } from './backtest-rule-sets.ts';
import { createScoresFile } from './backtest-scores.ts';
import { ReplayFileError } from './replay-file.ts';

export interface BacktestFlags {
  readonly ruleSet?: readonly string[];
  readonly base?: string;
  readonly data?: string;
  readonly from?: string;
  readonly to?: string;
  readonly testFrom?: string;
  readonly testTo?: string;
  readonly labelDelay: string;
  readonly threshold?: string;
  readonly stepUpAmount?: string;
  readonly reviewers: number;
  readonly scores?: string;
  readonly html?: string;
  readonly json?: boolean;
  readonly imported?: boolean;
  readonly dataDir: string;
}

const DEFAULT_STEP_UP_AMOUNT = '10000';

/**
 * Runs the command: reads, judges, writes the files that were asked for.
 * @returns the report as it is printed, and whether the end of the data was reached
 * @throws in a sentence for flags, files and rule sets that cannot be used
 */
export async function backtest(
  flags: BacktestFlags,
  signal: AbortSignal,
): Promise<{ readonly complete: boolean; readonly output: string }> {
  const asked = readFlags(flags);
  const installation = flags.data === undefined ? await connect(flags) : undefined;
  try {
    const ruleSets = await openRuleSets(flags, installation, () => connect(flags));
    const started = performance.now();
    const result = await run(flags, asked, ruleSets, installation, signal);
    const seconds = (performance.now() - started) / 1_000;
    if (flags.html !== undefined) {
      const { renderBacktestPage } = await import('./backtest-html.ts');
      writeFileSync(flags.html, renderBacktestPage(result));
    }
    if (flags.json) return { complete: result.complete, output: JSON.stringify(result, null, 2) };
    const { renderBacktest } = await import('./backtest-report.ts');
    const speed = `${result.rows.read} rows in ${seconds.toFixed(1)} s, ${Math.round(result.rows.read / seconds)}/s`;
    return { complete: result.complete, output: `${renderBacktest(result)}\n\n${speed}` };
  } finally {
    await installation?.close();
  }
}

interface Asked {
  readonly period: Window;
  readonly test: Window;
  readonly labelDelay: Micros;
  readonly reviewAbove: number | null;
}

function readFlags(flags: BacktestFlags): Asked {
  const labelDelay = parseDuration(flags.labelDelay);
  if (labelDelay === undefined) throw new Error('--label-delay: write a duration such as 7d, 36h or 90m.');
  return {
    period: windowOf('--from', flags.from, '--to', flags.to),
    test: windowOf('--test-from', flags.testFrom, '--test-to', flags.testTo),
    labelDelay,
    reviewAbove: flags.threshold === undefined ? null : hundredths(flags.threshold),
  };
}

function windowOf(fromName: string, from: string | undefined, toName: string, to: string | undefined): Window {
  const window = { from: timeOf(fromName, from), to: timeOf(toName, to) };
  if (window.from !== null && window.to !== null && window.from >= window.to) {
    throw new Error(`${toName} must be later than ${fromName}.`);
  }
  return window;
}

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/** A day is its beginning in UTC. */
export function timeOf(name: string, text: string | undefined): Micros | null {
  if (text === undefined) return null;
  const at = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new Error(`${name}: write a day such as 2018-08-08, or RFC 3339 with its zone.`);
  return at * MICROS_PER_MILLISECOND;
}

function hundredths(text: string): number {
  const score = /^(0|1|0?\.\d{1,2}|1\.0{1,2})$/.test(text) ? Math.round(Number(text) * 100) : Number.NaN;
  if (Number.isNaN(score)) throw new Error('--threshold: write a score from 0 to 1 in hundredths, such as 0.7.');
  return score;
}

async function connect({ dataDir }: BacktestFlags): Promise<InstallationAccess> {
  const { openInstallation } = await import('./backtest-installation.ts');
  return openInstallation(dataDir);
}

async function run(
  flags: BacktestFlags,
  asked: Asked,
  ruleSets: { readonly engines: readonly RuleEngine[]; readonly base: RuleEngine },
  installation: InstallationAccess | undefined,
  signal: AbortSignal,
): Promise<BacktestResult> {
  const source = installation === undefined ? await fromFile(flags, asked) : await installation.recorded(flags, asked);
  const versions = ruleSets.engines.map(({ version }) => version);
  const scores = flags.scores === undefined ? undefined : createScoresFile(flags.scores, versions);
  const progress = await createBacktestProgress(source.total);
  const options: BacktestOptions = {
    ...ruleSets,
    period: asked.period,
    test: asked.test,
    reviewAbove: asked.reviewAbove,
    stepUpAmountMinor: stepUpAmount(flags.stepUpAmount ?? source.stepUpAmount, source.currency),
    currency: source.currency,
    exponent: currencyExponent(source.currency),
    reviewers: flags.reviewers,
  };
  let isWhole = false;
  try {
    const result = await runBacktest(source.pages, options, {
      signal,
      onPage: (rows, at) => progress.advance(rows, at, source.done()),
      ...(scores === undefined ? {} : { onScores: (id: string, of: Float64Array) => scores.add(id, of) }),
    });
    isWhole = result.complete;
    return result;
  } finally {
    progress.stop();
    if (isWhole) scores?.finish();
    else scores?.discard();
  }
}

/** Recorded rows, and how far they have been read: in the unit of `total`. */
export interface BacktestSource {
  readonly currency: string;
  readonly stepUpAmount: string;
  readonly pages: AsyncIterable<readonly BacktestRow[]>;
  readonly total: number;
  readonly done: () => number;
}

async function fromFile({ data = '' }: BacktestFlags, { labelDelay }: Asked): Promise<BacktestSource> {
  let bytes = 0;
  const file = await openBacktestFile(data, {
    labelDelay,
    onBytes: (read) => {
      bytes += read;
    },
  });
  return {
    currency: file.currency,
    stepUpAmount: DEFAULT_STEP_UP_AMOUNT,
    pages: file.pages,
    total: statSync(data).size,
    done: () => bytes,
  };
}

function stepUpAmount(text: string, currency: string): bigint {
  const exponent = currencyExponent(currency);
  const [whole = '', fraction = ''] = text.split('.');
  if (!/^\d{1,15}(\.\d+)?$/.test(text) || fraction.length > exponent) {
    throw new ReplayFileError(`--step-up-amount: write an amount such as ${formatAmount(1_000_000n, exponent)}.`);
  }
  return BigInt(whole + fraction.padEnd(exponent, '0'));
}
