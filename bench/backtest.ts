import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBacktestFile } from '../cli/backtest-file.ts';
import { table } from '../cli/replay-report.ts';
import { type BacktestRow, runBacktest } from '../domain/risk/backtest.ts';
import type { TransactionFeatures } from '../domain/risk/features.ts';
import { createHistory, LABEL_DELAY } from '../domain/risk/history.ts';
import { compileRuleSet } from '../domain/risk/rule-engine.ts';
import type { RuleSetDocument } from '../domain/risk/rule-set.ts';
import { PUBLISHED_RULE_SETS } from '../domain/risk/rule-sets/published.ts';
import { writeRecordedFile } from './recorded-file.ts';

const ROWS = 100_000;
const ROUNDS = 5;
const EVERYTHING = { from: null, to: null } as const;

/**
 * Transactions a second of a back-test, beside its parts: reading and parsing the same file, the folds alone, the rules
 * alone. The parts take turns; the best of the rounds counts, since other programs share the machine.
 */
export async function backtestTable(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-bench-'));
  try {
    const path = join(folder, 'recorded.csv');
    writeRecordedFile(path, ROWS);
    const rows = await readAll(path);
    const history = createHistory();
    const features = rows.map(({ transaction }) => history.observe(transaction));
    const parts: Record<string, () => Promise<unknown> | unknown> = {
      'read and parse': () => readAll(path),
      'fold (features)': () => fold(rows),
      'rules of v3 (scores)': () => score(features),
      'back-test of v3 against v1': () => whole(path),
    };
    const best = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [name, part] of Object.entries(parts)) {
        const started = performance.now();
        await part();
        const perSecond = (ROWS / (performance.now() - started)) * 1_000;
        best.set(name, Math.max(perSecond, best.get(name) ?? 0));
      }
    }
    const baseline = best.get('read and parse') ?? Number.NaN;
    return table(
      [`${ROWS} transactions`, 'per s', 'of reading'],
      [...best].map(([name, perSecond]) => [
        name,
        String(Math.round(perSecond)),
        `${(perSecond / baseline).toFixed(2)} x`,
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function readAll(path: string): Promise<BacktestRow[]> {
  const { pages } = await openBacktestFile(path, { labelDelay: LABEL_DELAY });
  const rows: BacktestRow[] = [];
  for await (const page of pages) for (const row of page) rows.push(row);
  return rows;
}

function fold(rows: readonly BacktestRow[]): void {
  const history = createHistory();
  for (const { transaction } of rows) history.observe(transaction);
}

function score(features: readonly TransactionFeatures[]): void {
  const engine = published('v3');
  for (const one of features) engine.score(one);
}

async function whole(path: string): Promise<void> {
  const { pages, currency, exponent } = await openBacktestFile(path, { labelDelay: LABEL_DELAY });
  await runBacktest(
    pages,
    {
      engines: [published('v3')],
      base: published('v1'),
      period: EVERYTHING,
      test: EVERYTHING,
      reviewAbove: null,
      stepUpAmountMinor: 1_000_000n,
      currency,
      exponent,
      reviewers: 1,
    },
    { signal: { aborted: false } },
  );
}

function published(version: 'v1' | 'v3') {
  return compileRuleSet(PUBLISHED_RULE_SETS[version] as RuleSetDocument, version);
}
