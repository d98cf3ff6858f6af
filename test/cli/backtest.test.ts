import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRecordedFile } from '../../bench/recorded-file.ts';
import { openBacktestFile } from '../../cli/backtest-file.ts';
import type { BacktestRow } from '../../domain/risk/backtest.ts';
import type { BacktestResult } from '../../domain/risk/backtest-result.ts';
import { LABEL_DELAY } from '../../domain/risk/history.ts';
import { RULE_SET_V1 } from '../../domain/risk/rule-sets/v1.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { resultSchema } from './backtest-schema.ts';

const PROGRAM = new URL('../../cli/tradeguard.ts', import.meta.url).pathname;
const SAMPLE = new URL('../../docs/sample-transactions.csv', import.meta.url).pathname;
const HEADER = 'tx_id,ts,account,counterparty,amount,label,scenario';
/** Tells the most memory the process ever had, in kilobytes. */
const TELL_MEMORY = `data:text/javascript,process.on('exit',()=>console.error('maxRSS',process.resourceUsage().maxRSS))`;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-backtest-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function backtest(args: readonly string[], node: readonly string[] = []): Promise<Run> {
  return new Promise((done) => {
    const options = { maxBuffer: 64 * 1024 * 1024, env: { ...process.env, DATABASE_URL: '', DATA_DIR: folder } };
    execFile(process.execPath, [...node, PROGRAM, 'backtest', ...args], options, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr });
    });
  });
}

async function result(args: readonly string[]): Promise<BacktestResult> {
  const { code, stdout, stderr } = await backtest([...args, '--json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as BacktestResult;
}

async function read(path: string): Promise<BacktestRow[]> {
  const rows: BacktestRow[] = [];
  for await (const page of (await openBacktestFile(path, { labelDelay: LABEL_DELAY })).pages) rows.push(...page);
  return rows;
}

describe('a file of recorded transactions', () => {
  it('is read the same packed and unpacked, with blanks, quotes, Windows lines and further columns', async () => {
    const plain = `${HEADER}\n1,2018-06-01T00:35:57Z,a,b,122.28,0,x\n2,2018-06-01T02:35:57+01:00,a,,8.5,1,y\n3,2018-06-01T01:35:57.000250Z,a,b,9,0,"z, ""w"""\n`;
    const rows = await read(file('plain.csv', plain));
    expect(rows.map(({ id, outcome, scenario }) => [id, outcome, scenario])).toEqual([
      ['1', 'clean', 'x'],
      ['2', 'fraud', 'y'],
      ['3', 'clean', 'z, "w"'],
    ]);
    const at = Date.UTC(2018, 5, 1, 0, 35, 57) * 1_000;
    expect(rows.map(({ transaction }) => transaction)).toEqual([
      expect.objectContaining({ at, amountMinor: 12_228n, account: 'a', counterparty: 'b', settledAt: at }),
      expect.objectContaining({
        at: at + 3_600_000_000,
        amountMinor: 850n,
        counterparty: null,
        fraudKnownAt: at + 3_600_000_000 + LABEL_DELAY,
      }),
      expect.objectContaining({ at: at + 3_600_000_250, amountMinor: 900n, fraudKnownAt: null }),
    ]);
    expect(await read(file('packed.csv.gz', gzipSync(plain)))).toEqual(rows);
    expect(await read(file('windows.csv', `\uFEFF${plain.replaceAll('\n', '\r\n')}\r\n`))).toEqual(rows);
    const wider = plain
      .split('\n')
      .map((line, n) => (line === '' ? '' : `${n === 0 ? 'note' : ' "free, text"'} ,${line}`));
    expect(await read(file('wider.csv', wider.join('\n')))).toEqual(rows);
  });

  it('needs no labels and no scenarios', async () => {
    const path = file('bare.csv', 'ts,tx_id,amount,counterparty,account\n2018-06-01T00:35:57Z,1,5.00,b,a\n');
    expect(await read(path)).toMatchObject([{ id: '1', outcome: 'unknown', scenario: null }]);
    const found = await result(['--data', path]);
    expect(found.rows).toMatchObject({ read: 1, tested: 0 });
    expect(found.ruleSets[0]?.quality).toMatchObject({ averagePrecision: null, auc: null });
  });

  const good = '1,2018-06-01T00:35:57Z,a,b,122.28,0,x';
  it.each([
    ['a missing column', 'tx_id,ts,account\n', 'the header lacks counterparty, amount'],
    ['nothing', '', 'is empty'],
    [
      'a row out of order',
      `${HEADER}\n${good}\n2,2018-06-01T00:35:56Z,a,b,1.00,0,x\n`,
      'line 3: 2018-06-01T00:35:56Z is earlier than the row before',
    ],
    ['a bad time', `${HEADER}\n${good}\n2,2018-02-30T00:35:56Z,a,b,1.00,0,x\n`, 'line 3: ts: write RFC 3339'],
    [
      'a bad amount',
      `${HEADER}\n\n${good}\n2,2018-06-01T00:35:58Z,a,b,-1.00,0,x\n`,
      'line 4: amount: write a decimal number',
    ],
    [
      'too many digits',
      `${HEADER}\n1,2018-06-01T00:35:57Z,a,b,1.005,0,x\n`,
      'line 2: amount: USD has 2 fraction digits',
    ],
    ['a bad label', `${HEADER}\n1,2018-06-01T00:35:57Z,a,b,1.00,yes,x\n`, 'line 2: label: write 0 or 1'],
    ['a bad id', `${HEADER}\n1;2,2018-06-01T00:35:57Z,a,b,1.00,0,x\n`, 'line 2: tx_id: use up to 64'],
    ['a short row', `${HEADER}\n${good}\n2,2018-06-01T00:35:58Z,a\n`, 'line 3: has 3 fields and the header 7'],
    [
      'a quote that is not closed',
      `${HEADER}\n1,2018-06-01T00:35:57Z,a,b,1.00,0,"x\n${good}\n`,
      'line 2: a quote is opened and not closed',
    ],
    [
      'two currencies',
      `${HEADER},currency\n${good},EUR\n2,2018-06-01T00:35:58Z,a,b,1.00,0,x,CHF\n`,
      'line 3: currency: CHF and the first row has EUR',
    ],
    [
      'a transfer to nobody',
      `${HEADER},type\n1,2018-06-01T00:35:57Z,a,,1.00,0,x,transfer\n`,
      'line 2: counterparty: a transfer needs',
    ],
  ])('is refused for %s, with the line', async (name, content, message) => {
    const path = file(`${name}.csv`, content);
    await expect(read(path)).rejects.toThrow(message);
    await expect(read(path)).rejects.toThrow(path);
  });

  it('is refused where it is cut off or absent', async () => {
    const whole = gzipSync(`${HEADER}\n${`${good}\n`.repeat(5_000)}`);
    await expect(read(file('cut.csv.gz', whole.subarray(0, whole.length - 20)))).rejects.toThrow(
      'not a complete gzip file',
    );
    await expect(read(join(folder, 'absent.csv'))).rejects.toThrow('there is no such file');
  });
});

describe('tradeguard backtest', () => {
  it('writes the score of every row, in order, and what several rule sets score side by side', async () => {
    const [one, three] = [join(folder, 'one.csv'), join(folder, 'three.csv')];
    await result(['--rule-set', 'recommended', '--data', SAMPLE, '--scores', one, '--from', '2026-01-20']);
    await result(['--rule-set', 'v1', '--rule-set', 'v2', '--rule-set', 'v3', '--data', SAMPLE, '--scores', three]);
    const lines = readFileSync(one, 'utf8').trimEnd().split('\n');
    const ids = readFileSync(SAMPLE, 'utf8')
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',')[0]);
    expect(lines[0]).toBe('tx_id,score');
    expect(lines.slice(1).map((line) => line.split(',')[0])).toEqual(ids);
    expect(lines.slice(1).every((line) => /^s\d{4},(0\.\d\d|1\.00)$/.test(line))).toBe(true);
    const together = readFileSync(three, 'utf8').trimEnd().split('\n');
    expect(together[0]).toBe('tx_id,v1,v2,v3');
    expect(
      together.slice(1).map((line) =>
        line
          .split(',')
          .filter((_, n) => n === 0 || n === 3)
          .join(','),
      ),
    ).toEqual(lines.slice(1));
  });

  it('leaves no scores behind where a row is refused', async () => {
    const bad = file(
      'bad.csv',
      `${HEADER}\n${'1,2018-06-01T00:35:57Z,a,b,1.00,0,x\n'.repeat(20_000)}2,2018,a,b,1,0,x\n`,
    );
    const before = readdirSync(folder);
    const { code, stderr, stdout } = await backtest(['--data', bad, '--scores', join(folder, 'half.csv')]);
    expect(code).toBe(1);
    expect(stderr).toContain(`${bad}, line 20002: ts: write RFC 3339`);
    expect(stdout).toBe('');
    expect(readdirSync(folder)).toEqual(before);
  });

  it('prints JSON of the documented shape', async () => {
    const found = await result(['--rule-set', 'v1', '--rule-set', 'v3', '--data', SAMPLE, '--reviewers', '2']);
    const checked = resultSchema.safeParse(found);
    expect(checked.error?.issues ?? []).toEqual([]);
    expect(found).toMatchObject({ format: 'tradeguard-backtest/1', complete: true, base: 'v1', reviewers: 2 });
    expect(found.ruleSets.map(({ version }) => version)).toEqual(['v1', 'v3']);
    expect(found.ruleSets[0]?.examples.newlyHeld).toEqual([]);
  });

  it('names every fault of a rule set with its place', async () => {
    const broken = file(
      'broken.json',
      JSON.stringify({
        ...RULE_SET_V1,
        rules: [
          { id: 'typo', title: 'Typo', when: 'ammount > 2.0', points: 10 },
          { id: 'half', title: 'Half', when: 'amount > ', points: 10 },
        ],
      }),
    );
    const { code, stderr } = await backtest(['--rule-set', broken, '--data', SAMPLE]);
    expect(code).toBe(1);
    expect(stderr).toContain('2 fault(s)');
    expect(stderr).toMatch(/\/rules\/0\/when, character 1: .*ammount/);
    expect(stderr).toMatch(/\/rules\/1\/when, character \d+: /);
    const shapeless = file('shapeless.json', JSON.stringify({ ...RULE_SET_V1, thresholds: {}, rules: 'none' }));
    const shape = await backtest(['--rule-set', shapeless, '--data', SAMPLE]);
    expect(shape.stderr).toMatch(/\/thresholds\/reviewAbove: [\s\S]*\/rules: /);
    const noJson = await backtest(['--rule-set', file('no.json', '{"format": '), '--data', SAMPLE]);
    expect(noJson.stderr).toContain('is no JSON');
  });

  it('judges with a rule set of a file under the name of the file', async () => {
    const own = file(
      'strict.json',
      JSON.stringify({ ...RULE_SET_V1, thresholds: { ...RULE_SET_V1.thresholds, factorAbove: 10, reviewAbove: 20 } }),
    );
    const found = await result(['--rule-set', own, '--data', SAMPLE]);
    expect(found.ruleSets[0]?.version).toBe('strict');
    expect(found.ruleSets[0]?.againstBase.newlyHeld.count).toBeGreaterThan(0);
    expect(found.ruleSets[0]?.examples.newlyHeld[0]?.reasons.length).toBeGreaterThan(0);
  });

  it.each([
    [['--data', SAMPLE, '--threshold', '7'], '--threshold'],
    [['--data', SAMPLE, '--label-delay', 'soon'], '--label-delay'],
    [['--data', SAMPLE, '--from', 'yesterday'], '--from'],
    [['--data', SAMPLE, '--test-from', '2026-02-01', '--test-to', '2026-01-01'], '--test-to must be later'],
    [['--data', SAMPLE, '--rule-set', 'v9'], 'Rule set v9'],
    [['--data', SAMPLE, '--rule-set', 'v3', '--rule-set', 'recommended'], 'named twice'],
    [['--data', SAMPLE, '--step-up-amount', '1.234'], '--step-up-amount'],
    [['--data', join('nowhere', 'x.csv')], 'there is no such file'],
  ])('says what is wrong with %j', async (args, message) => {
    const { code, stderr } = await backtest(args);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });

  it('stops at Ctrl-C, and says what was read until then', async () => {
    const long = join(folder, 'long.csv');
    writeRecordedFile(long, 400_000);
    const scores = join(folder, 'stopped.csv');
    const child = spawn(process.execPath, [PROGRAM, 'backtest', '--data', long, '--json', '--scores', scores], {
      env: { ...process.env, DATABASE_URL: '', DATA_DIR: folder },
    });
    let stdout = '';
    let stderr = '';
    let isAsked = false;
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
      // The bar is there: rows are being read.
      if (!isAsked && stderr.includes(' rows |')) isAsked = child.kill('SIGINT');
    });
    const code = await new Promise((done) => child.once('close', done));
    expect(code, stderr).toBe(130);
    const found = JSON.parse(stdout) as BacktestResult;
    expect(found.complete).toBe(false);
    expect(found.rows.read).toBeLessThan(400_000);
    expect(stderr).toContain('Stopped');
    expect(readdirSync(folder).filter((name) => name.startsWith('stopped'))).toEqual([]);
  });

  it('needs no more memory for a file three times as long', async () => {
    const peak = async (rows: number) => {
      const path = join(folder, `rows-${rows}.csv`);
      // So few that each has reached the bounds of its past in the shorter file.
      writeRecordedFile(path, rows, 40);
      const { code, stderr } = await backtest(
        ['--data', path, '--json', '--scores', `${path}.scores`],
        ['--import', TELL_MEMORY],
      );
      expect(code, stderr).toBe(0);
      return Number(/maxRSS (\d+)/.exec(stderr)?.[1]) / 1_024;
    };
    // The shorter one fills the young generation and what the collector lets lie. What is collected too late counts as
    // well, and on a busy machine that may be much: what a run needs is the least of what runs took.
    const short = await peak(250_000);
    let long = Number.POSITIVE_INFINITY;
    for (let runs = 0; runs < 3 && long - short >= 40; runs += 1) long = Math.min(long, await peak(750_000));
    expect(long - short).toBeLessThan(40);
  }, 360_000);
});

describe('the page', () => {
  const hostile = '<script>fetch("https://example.com")</script>';

  it('needs nothing from elsewhere, runs nothing, and shows what the data holds as text', async () => {
    const rows = Array.from({ length: 8 }, (_, n) => `t${n},2026-01-0${n + 1}T00:00:00Z,a,b,10.00,0,calm`);
    const data = file(
      'hostile.csv',
      `${HEADER}\n${rows.join('\n')}\nt9,2026-01-09T00:00:00Z,a,b,9000.00,1,"${hostile.replaceAll('"', '""').slice(0, 40)}"\n`,
    );
    const named = file('named.json', JSON.stringify({ ...RULE_SET_V1, title: hostile }));
    const page = join(folder, 'page.html');
    await result(['--rule-set', named, '--rule-set', 'v3', '--data', data, '--html', page]);
    const html = readFileSync(page, 'utf8');
    expect(html).not.toMatch(/<script|javascript:|\son\w+=/i);
    expect(html).toContain('&lt;script&gt;fetch(');
    expect(html.replaceAll('http://www.w3.org/2000/svg', '').match(/(src|href|url|import)\s*[=(]/gi)).toBeNull();
    expect(html.match(/<svg /g)).toHaveLength(6);

    const browser = await launchBrowser();
    try {
      for (const colorScheme of ['light', 'dark'] as const) {
        const context = await browser.newContext({ colorScheme });
        const tab = await context.newPage();
        const asked: string[] = [];
        const complaints: string[] = [];
        tab.on('request', (request) => asked.push(request.url()));
        tab.on('console', (message) => complaints.push(message.text()));
        tab.on('pageerror', (error) => complaints.push(String(error)));
        await tab.goto(`file://${page}`);
        expect(await tab.locator('h2').allTextContents()).toEqual([`named: ${hostile}`, 'v3: Recommended']);
        expect(await tab.locator('svg').count()).toBe(6);
        expect([asked, complaints]).toEqual([[`file://${page}`], []]);
        const [text, back] = await tab.evaluate<string[]>(
          '(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.body))',
        );
        expect([text, back]).toEqual(
          colorScheme === 'light'
            ? ['rgb(26, 26, 26)', 'rgb(255, 255, 255)']
            : ['rgb(236, 236, 236)', 'rgb(22, 22, 22)'],
        );
        await context.close();
      }
    } finally {
      await browser.close();
    }
  });

  it('is not written where there is nothing to show', async () => {
    const page = join(folder, 'none.html');
    await backtest(['--data', file('broken.csv', 'tx_id\n1\n'), '--html', page]);
    expect(existsSync(page)).toBe(false);
  });
});
