import { createHash } from 'node:crypto';
import { createReadStream, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { BacktestRow } from '../domain/risk/backtest.ts';
import { createHistory } from '../domain/risk/history.ts';
import { compileRuleSet } from '../domain/risk/rule-engine.ts';
import type { RuleSetDocument } from '../domain/risk/rule-set.ts';
import { PUBLISHED_RULE_SETS } from '../domain/risk/rule-sets/published.ts';
import { emptyCounts } from '../domain/risk/score-quality.ts';
import { CHARACTERISTICS } from '../domain/risk/scorecard/characteristics.ts';
import { toRuleSet } from '../domain/risk/scorecard/document.ts';
import { createEvaluation } from '../domain/risk/scorecard/evaluation.ts';
import { createExtractor } from '../domain/risk/scorecard/extraction.ts';
import {
  cardPoints,
  type FitSamples,
  fitScorecard,
  type Scorecard,
  ScorecardRefusal,
} from '../domain/risk/scorecard/fit.ts';
import { createReport, type ScorecardReport } from '../domain/risk/scorecard/report.ts';
import { createSampler, joinSamples, type Sample } from '../domain/risk/scorecard/sample.ts';
import { type FitWindows, fitWindows } from '../domain/risk/scorecard/windows.ts';
import type { Micros } from '../domain/time.ts';
import { openBacktestFile, parseDuration } from './backtest-file.ts';
import { createBacktestProgress } from './backtest-progress.ts';
import { timeOf } from './backtest-run.ts';

export interface FitFlags {
  readonly data: string;
  readonly labelDelay: string;
  readonly trainTo?: string;
  readonly testFrom?: string;
  readonly testTo?: string;
  readonly targetPrecision: number;
  readonly maxCharacteristics: number;
  readonly seed: number;
  readonly out?: string;
  readonly json?: boolean;
}

/** The proposal, and all that is known of it. */
export interface FittedRules {
  readonly windows: Readonly<Record<keyof FitWindows, string>>;
  readonly document: RuleSetDocument;
  readonly report: ScorecardReport;
}

/** A step-up bothers an honest person for a minute, a hold for hours: three in ten frauds fewer suffice for it. */
const STEP_UP_SHARE = 0.7;

/**
 * Runs the command. The file is read three times: for its time, to learn, and to hold the proposal against what it has not
 * seen. Memory does not grow with the file: where it is very large a sample is drawn, the same one for the same seed.
 * @returns what is printed; null when the signal stopped it
 * @throws in a sentence for flags and files that cannot be used, and where nothing can be learned from the labels
 */
export async function fitRules(flags: FitFlags, signal: AbortSignal): Promise<string | null> {
  const labelDelay = parseDuration(flags.labelDelay);
  if (labelDelay === undefined) throw new Error('--label-delay: write a duration such as 7d, 36h or 90m.');
  const choice = {
    labelDelay,
    trainTo: timeOf('--train-to', flags.trainTo) ?? undefined,
    testFrom: timeOf('--test-from', flags.testFrom) ?? undefined,
    testTo: timeOf('--test-to', flags.testTo) ?? undefined,
  };
  const sha256 = await hashOf(flags.data);
  const read = await createReader(flags.data, labelDelay, signal);
  try {
    const span = await spanOf(read);
    if (span === null) return null;
    const windows = windowsOf(span, choice);
    const samples = await sampleFile(read, windows, flags.seed);
    if (samples === null) return null;
    const { card, trial } = fitScorecard(CHARACTERISTICS, samples, {
      targetPrecision: flags.targetPrecision,
      stepUpPrecision: flags.targetPrecision * STEP_UP_SHARE,
      maxCharacteristics: flags.maxCharacteristics,
    });
    const learned = joinSamples([samples.train, samples.gap, samples.validation]);
    const document = toRuleSet(card, {
      ...{ sha256, from: dayOf(windows.warmUpTo), to: dayOf(windows.validationTo - 1) },
      ...{ transactions: learned.rows, frauds: learned.events, labelDelay: flags.labelDelay },
      ...{ targetPrecision: flags.targetPrecision, seed: flags.seed },
    });
    const tested = await testCard(read, windows, card, document);
    if (tested === null) return null;
    const report = createReport({
      card,
      learned: evaluateSample(card, learned),
      validation: evaluateSample(trial, samples.validation),
      ...tested,
      targetPrecision: flags.targetPrecision,
      warnings: [],
    });
    if (flags.out !== undefined) writeWhole(flags.out, `${JSON.stringify(document, null, 2)}\n`);
    const fitted: FittedRules = { windows: shown(windows), document, report };
    if (flags.json) return JSON.stringify(fitted, null, 2);
    const { renderFit } = await import('./rules-fit-report.ts');
    return renderFit(fitted, flags.out);
  } catch (error) {
    if (error instanceof ScorecardRefusal) throw new Error(`${flags.data}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    read.stop();
  }
}

type Choice = Parameters<typeof fitWindows>[2];

function windowsOf({ first, last }: { first: Micros; last: Micros }, choice: Choice): FitWindows {
  try {
    return fitWindows(first, last, choice);
  } catch (error) {
    if (error instanceof RangeError) throw new Error(error.message, { cause: error });
    throw error;
  }
}

/** Passes over the file under one progress bar. @returns whether a pass reached the end */
async function createReader(path: string, labelDelay: Micros, signal: AbortSignal) {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw new Error(`${path}: there is no such file`);
  const passes = 3;
  const progress = await createBacktestProgress(size * passes);
  let bytes = 0;
  return {
    async pass(each: (row: BacktestRow, n: number) => void): Promise<boolean> {
      const file = await openBacktestFile(path, {
        labelDelay,
        onBytes: (read) => {
          bytes += read;
        },
      });
      let n = 0;
      for await (const page of file.pages) {
        if (signal.aborted) return false;
        for (const row of page) {
          each(row, n);
          n += 1;
        }
        const last = page.at(-1);
        if (last !== undefined) progress.advance(page.length, last.transaction.at, bytes);
      }
      return !signal.aborted;
    },
    stop: progress.stop,
  };
}

type Reader = Awaited<ReturnType<typeof createReader>>;

async function spanOf(read: Reader): Promise<{ first: Micros; last: Micros } | null> {
  let first: Micros | undefined;
  let last = 0;
  let unlabelled = 0;
  const isWhole = await read.pass(({ transaction, outcome }) => {
    first ??= transaction.at;
    last = transaction.at;
    if (outcome === 'unknown') unlabelled += 1;
  });
  if (!isWhole) return null;
  if (first === undefined) throw new Error('The file has no transaction.');
  if (unlabelled > 0)
    throw new Error(`${unlabelled} transactions have no label: write 1 for a fraud and 0 for the others.`);
  return { first, last };
}

/** Folds the whole file by the code that live decisions use, and keeps what is learned from. */
async function sampleFile(read: Reader, windows: FitWindows, seed: number): Promise<FitSamples | null> {
  const history = createHistory();
  const extract = createExtractor(CHARACTERISTICS);
  const values = new Float64Array(CHARACTERISTICS.length);
  const samplers = {
    train: createSampler(values.length, seed),
    gap: createSampler(values.length, seed),
    validation: createSampler(values.length, seed),
  };
  const isWhole = await read.pass(({ transaction, outcome }, n) => {
    const { at } = transaction;
    if (at >= windows.validationTo) return;
    const features = history.observe(transaction);
    if (at < windows.warmUpTo) return;
    extract(features, values);
    const part = at < windows.trainTo ? 'train' : at < windows.validationFrom ? 'gap' : 'validation';
    samplers[part].add(n, outcome === 'fraud', values);
  });
  if (!isWhole) return null;
  return { train: samplers.train.take(), gap: samplers.gap.take(), validation: samplers.validation.take() };
}

/** The card and the published rule sets on what nothing was learned from. The engine has to score as the card counts. */
async function testCard(read: Reader, windows: FitWindows, card: Scorecard, document: RuleSetDocument) {
  const history = createHistory();
  const extract = createExtractor(CHARACTERISTICS);
  const values = new Float64Array(CHARACTERISTICS.length);
  const evaluation = createEvaluation(card);
  const engine = compileRuleSet(document, 'proposal');
  const published = Object.entries(PUBLISHED_RULE_SETS).map(([version, set]) => ({
    engine: compileRuleSet(set, version),
    counts: emptyCounts(),
  }));
  const isWhole = await read.pass(({ transaction, outcome }) => {
    const features = history.observe(transaction);
    if (transaction.at < windows.testFrom || transaction.at >= windows.testTo) return;
    extract(features, values);
    const points = cardPoints(card, values);
    const score = engine.score(features);
    if (score !== Math.max(0, Math.min(100, points)))
      throw new Error(`the proposal scores ${score}, its card ${points}`);
    evaluation.add(points, (column) => values[column] as number, outcome === 'fraud');
    for (const { engine: other, counts } of published) {
      const level = other.score(features) ?? other.thresholds.factorAbove + 1;
      const side = outcome === 'fraud' ? counts.fraud : counts.clean;
      side[level] = (side[level] ?? 0) + 1;
    }
  });
  if (!isWhole) return null;
  const others = Object.fromEntries(published.map(({ engine: other, counts }) => [other.version, counts]));
  return { test: evaluation.result(), others };
}

function evaluateSample(card: Scorecard, sample: Sample) {
  const evaluation = createEvaluation(card);
  const values = new Float64Array(sample.columns.length);
  for (let row = 0; row < sample.labels.length; row += 1) {
    for (let column = 0; column < values.length; column += 1) {
      values[column] = (sample.columns[column] as Float64Array)[row] as number;
    }
    evaluation.add(
      cardPoints(card, values),
      (column) => values[column] as number,
      sample.labels[row] === 1,
      sample.weights[row] as number,
    );
  }
  return evaluation.result();
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new Error(`${path}: there is no such file`) : error;
  });
  return hash.digest('hex');
}

/** Under its name only once it is whole. */
function writeWhole(path: string, text: string): void {
  const unfinished = `${path}.${process.pid}.part`;
  try {
    writeFileSync(unfinished, text, { flag: 'wx' });
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

const dayOf = (at: Micros): string => new Date(at / 1_000).toISOString().slice(0, 10);

function shown(windows: FitWindows): FittedRules['windows'] {
  return Object.fromEntries(
    Object.entries(windows).map(([name, at]) => [name, new Date(at / 1_000).toISOString()]),
  ) as FittedRules['windows'];
}
