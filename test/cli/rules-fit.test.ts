import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRecordedFile } from '../../bench/recorded-file.ts';
import type { FittedRules } from '../../cli/rules-fit-run.ts';
import { compileRuleSet } from '../../domain/risk/rule-engine.ts';

const PROGRAM = new URL('../../cli/tradeguard.ts', import.meta.url).pathname;
/** Learned from until here; the generated file begins on 2024-01-01 with 1,000 rows a day. */
const TRAIN_TO = '2024-03-04';
const TEST_FROM = '2024-03-11';
let folder: string;
let data: string;
let first: FittedRules;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-fit-'));
  data = join(folder, 'history.csv');
  writeRecordedFile(data, 90_000, 100);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function runFit(file: string, ...more: string[]) {
  const args = [PROGRAM, 'rules', 'fit', '--data', file, '--json', ...more];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return { status, stdout, stderr };
}
const fitted = (file: string, ...more: string[]): FittedRules => {
  const { status, stdout, stderr } = runFit(file, '--train-to', TRAIN_TO, '--test-from', TEST_FROM, ...more);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
};

/** The file with its rows changed, the heading left alone. */
function changed(name: string, change: (fields: string[], n: number) => string[]): string {
  const path = join(folder, name);
  const [header, ...rows] = readFileSync(data, 'utf8').trimEnd().split('\n');
  writeFileSync(path, `${[header, ...rows.map((row, n) => change(row.split(','), n).join(','))].join('\n')}\n`);
  return path;
}

describe('tradeguard rules fit', () => {
  it('finds what was planted, and the document it writes scores as its report says', () => {
    const out = join(folder, 'card.json');
    first = fitted(data, '--out', out);
    const { document, report } = first;
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(document);
    expect(() => compileRuleSet(document, 'card')).not.toThrow();
    // Payments of eight times the usual, and a counterparty a month in the hands of fraudsters.
    const found = report.characteristics.map(({ of }) => of).join(' ');
    expect(found).toMatch(/amount_to_|amount_deviation/);
    expect(found).toMatch(/counterparty_/);
    expect(report.test?.averagePrecision).toBeGreaterThan(0.5);
    expect(report.test?.averagePrecision).toBeGreaterThan(report.others.v1?.averagePrecision ?? 1);
    expect(document.description).toContain('SHA-256');
    expect(document.description).not.toContain(folder);

    const judged = spawnSync(
      process.execPath,
      [PROGRAM, 'backtest', '--data', data, '--rule-set', out, '--test-from', TEST_FROM, '--json'],
      { encoding: 'utf8', maxBuffer: 1 << 26 },
    );
    expect(judged.status, judged.stderr).toBe(0);
    const { quality } = JSON.parse(judged.stdout).ruleSets[0];
    expect(quality.averagePrecision).toBeCloseTo(report.test?.averagePrecision ?? -1, 12);
    expect(quality.thresholds.find(({ name }: { name: string }) => name === 'held')).toMatchObject({
      flagged: report.test?.review.flagged,
      truePositives: report.test?.review.truePositives,
    });
  }, 240_000);

  it('proposes the same for the same file, whatever the labels say after the time it learned from', () => {
    const later = changed('later.csv', (fields, n) => {
      const isLater = (fields[1] ?? '') >= TRAIN_TO;
      return isLater ? [...fields.slice(0, 5), n % 3 === 0 ? '1' : '0', ...fields.slice(6)] : fields;
    });
    const second = fitted(later);
    const withoutHash = ({ document }: FittedRules) => JSON.stringify(document).replace(/SHA-256 [0-9a-f]{64}/, '');
    expect(withoutHash(second)).toBe(withoutHash(first));
    expect(JSON.stringify(fitted(data))).toBe(JSON.stringify(first));
  }, 240_000);

  it.each([
    ['without a fraud', (fields: string[]) => [...fields.slice(0, 5), '0', ...fields.slice(6)], /labelled as a fraud/],
    [
      'with few frauds',
      (fields: string[], n: number) => [...fields.slice(0, 5), n % 4_500 === 0 ? '1' : '0', '0'],
      /fewer than 30/,
    ],
    ['without labels', (fields: string[]) => [...fields.slice(0, 5), '', '0'], /label/],
  ] as const)(
    'refuses a file %s in a sentence, and writes nothing',
    (_what, change, message) => {
      const out = join(folder, 'never.json');
      const { status, stderr } = runFit(changed('bad.csv', change), '--out', out);
      expect(status).not.toBe(0);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/ at .*\.ts:\d+/);
      expect(existsSync(out)).toBe(false);
    },
    120_000,
  );

  it('refuses flags that cannot be', () => {
    expect(runFit(data, '--label-delay', 'soon').stderr).toMatch(/--label-delay/);
    expect(runFit(data, '--target-precision', '2').stderr).toMatch(/share/);
    expect(runFit(join(folder, 'absent.csv')).stderr).toMatch(/no such file/);
    expect(runFit(data, '--train-to', '2024-01-05').stderr).toMatch(/too short/);
  }, 60_000);
});
