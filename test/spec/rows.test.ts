import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { faultsOf, idsInTitles } from './faults.ts';
import { type Report, resultsOf } from './row-tests.ts';
import { askedIds, breakText, parseSpec, ROOT, ROW_IDS, type SpecRow } from './rows.ts';
import { shortcomings, verdictOnMutant } from './verdict.ts';

describe('the ids', () => {
  it('are 126, and those that are asked for come in the list’s order', () => {
    expect(ROW_IDS).toHaveLength(126);
    expect(askedIds([])).toEqual(ROW_IDS);
    expect(askedIds(['p5', 'D1'])).toEqual(['D1', 'P5']);
    expect(() => askedIds(['P12'])).toThrow('There is no row P12. Rows are D1-D10, L1-L9,');
  });
});

const SECTION = `## Devices

### D1 Fingerprint

- Done by: \`domain/device.ts\`,
  \`api/device-input.ts\`
- Held by: \`test/api/devices.test.ts\`
- Evidence: A login
  tells all.
- Broken by: \`domain/device.ts\`

  \`\`\`diff
  -   plugins: fold(parts),
  + plugins: [],
  \`\`\`

## Next chapter
`;

describe('a section', () => {
  it('is read entry by entry, also over several lines', () => {
    expect(parseSpec(SECTION)).toEqual([
      {
        id: 'D1',
        what: 'Fingerprint',
        doneBy: ['domain/device.ts', 'api/device-input.ts'],
        heldBy: ['test/api/devices.test.ts'],
        evidence: 'A login\n  tells all.',
        breaker: { file: 'domain/device.ts', before: 'plugins: fold(parts),', after: 'plugins: [],' },
      },
    ]);
  });

  it('may let a line disappear', () => {
    expect(parseSpec(SECTION.replace('+ plugins: [],', '+'))[0]?.breaker.after).toBe('');
  });

  it.each([
    ['- Evidence: A login\n  tells all.\n', '', 'D1: there is no "- Evidence: ..."'],
    ['`test/api/devices.test.ts`', 'the tests of devices', '"Held by" names no file in backquotes'],
    ['  + plugins: [],\n', '', 'needs a file and a diff of one line out and one in'],
    ['  + plugins: [],\n', '  + plugins: [],\n  + more: [],\n', 'needs a file and a diff of one line out and one in'],
  ])('that has not %j but %j is refused', (text, instead, message) => {
    expect(() => parseSpec(SECTION.replace(text, instead))).toThrow(message);
  });
});

const ROW: SpecRow = {
  id: 'D1',
  what: 'Fingerprint',
  doneBy: ['domain/a.ts'],
  heldBy: ['test/a.test.ts', 'test/b.test.ts'],
  evidence: 'seen',
  breaker: { file: 'domain/a.ts', before: 'one();', after: 'two();' },
};

describe('a fault of a row', () => {
  let root: string;
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  /** Without what is said of rows that this small list does not have. */
  const faults = (row: SpecRow, ...more: SpecRow[]) =>
    faultsOf([row, ...more], root).filter((fault) => !fault.endsWith('docs/spec.md has no such row'));
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tradeguard-rows-'));
    write('domain/a.ts', 'function f() {\n  one();\n}\n');
    for (const file of ROW.heldBy) write(file, "it('[D1] [D2] works', () => {});\n");
    write('test/b.test.ts', "describe('of', () => it.each([1])(\n  `[D1] works`, () => {}));\n");
    write('test/a.test.ts', "test('[D1] works', () => {});\n");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('is none where all is there', () => {
    expect(faults(ROW)).toEqual([]);
    expect(faultsOf([ROW], root)).toContain('N4: docs/spec.md has no such row');
  });

  it.each<[string, Partial<SpecRow>, string]>([
    ['a file that is not there', { doneBy: ['domain/a.ts', 'domain/b.ts'] }, 'D1: no file domain/b.ts'],
    ['a file without tests', { heldBy: [...ROW.heldBy, 'domain/a.ts'] }, 'D1: domain/a.ts is no file of tests'],
    ['a broken file that it does not name', { doneBy: ['test/a.test.ts'] }, 'D1: domain/a.ts is broken, and'],
    ['a line that is not there', { breaker: { ...ROW.breaker, before: 'x' } }, '"x" stands 0 times in domain/a.ts'],
    ['a line that stays', { breaker: { ...ROW.breaker, after: 'one();' } }, 'the broken line is the same as before'],
    ['a file whose tests it does not name', { heldBy: ['test/a.test.ts'] }, 'a title in test/b.test.ts has [D1], and'],
    ['an id that the list does not have', { id: 'D11' }, "D11: the customer's list has no such row"],
  ])('is %s', (_what, change, message) => {
    expect(faults({ ...ROW, ...change })).toContainEqual(expect.stringContaining(message));
  });

  it('is a line that stands there twice, a title without the id, and a row that is there twice', () => {
    write('domain/a.ts', 'one();\n  one();\n');
    write('test/a.test.ts', "// [D1]\nit('works for [D1]', () => {});\n");
    expect(faults(ROW, ROW)).toEqual(
      expect.arrayContaining([
        'D1: "one();" stands 2 times in domain/a.ts, not once',
        'D1: no title in test/a.test.ts has [D1]',
        'D1: the row is there twice',
      ]),
    );
  });

  it('sees ids at the beginning of a title alone', () => {
    expect([...idsInTitles("it('[P5][T4] [S1] a [D1] b', f); const x = ['[L1]'];")]).toEqual(['P5', 'T4', 'S1']);
  });
});

describe('a line', () => {
  it('is broken with its indentation kept, or goes', () => {
    const text = 'f() {\n    one();\n}\n';
    expect(breakText(text, ROW.breaker)).toBe('f() {\n    two();\n}\n');
    expect(breakText(text, { ...ROW.breaker, after: '' })).toBe('f() {\n\n}\n');
    expect(() => breakText(`${text}one();`, ROW.breaker)).toThrow('stands 2 times');
  });
});

describe('a run', () => {
  const FILE = { message: 'a hook', assertionResults: [{ fullName: '[D1] x', status: 'passed', duration: 1 }] };
  const run = (files: Record<string, [title: string, status: string][]>, code: number) => {
    const testResults = Object.entries(files).map(([name, tests]): Report['testResults'][number] => ({
      name: `/root/${name}`,
      status: tests.length === 0 || tests.some(([, status]) => status === 'failed') ? 'failed' : 'passed',
      message: 'SyntaxError: x',
      assertionResults: tests.map(([fullName, status]) => ({ fullName, status, duration: 7 })),
    }));
    return resultsOf([ROW], { report: { testResults }, root: '/root', code });
  };
  const judged = (files: Parameters<typeof run>[0]) => shortcomings(ROW, run(files, 0));
  const passed: [string, string][] = [['a row [D1] works', 'passed']];

  it('lets a row pass when every file that holds it has a test and all of them passed', () => {
    expect(judged({ 'test/a.test.ts': passed, 'test/b.test.ts': [...passed, ['another one', 'skipped']] })).toEqual([]);
  });

  it.each(['failed', 'skipped', 'pending', 'todo'])('lets none pass with a test %s', (status) => {
    expect(judged({ 'test/a.test.ts': passed, 'test/b.test.ts': [...passed, ['x [D1] y', status]] })).toEqual([
      `${status}: test/b.test.ts: x [D1] y`,
    ]);
  });

  it('lets none pass with a file that has no test of it', () => {
    expect(judged({ 'test/a.test.ts': passed, 'test/b.test.ts': [['[D10] works', 'passed']] })).toEqual([
      'no test with [D1] ran in test/b.test.ts',
    ]);
  });

  it('lets none pass with a file that did not load, or that failed beside its tests', () => {
    expect(judged({ 'test/a.test.ts': passed, 'test/b.test.ts': [] })).toEqual([
      'failed outside of its tests: test/b.test.ts: SyntaxError: x',
      'no test with [D1] ran in test/b.test.ts',
    ]);
    const testResults = [{ ...FILE, name: '/root/test/b.test.ts', status: 'failed' }];
    expect(resultsOf([ROW], { report: { testResults }, root: '/root', code: 1 }).broken).toEqual([
      { file: 'test/b.test.ts', message: 'a hook' },
    ]);
  });

  it('tells an error that belongs to no test', () => {
    expect(run({ 'test/a.test.ts': passed }, 1).isStray).toBe(true);
    expect(run({ 'test/a.test.ts': passed }, 0).isStray).toBe(false);
    expect(run({ 'test/a.test.ts': [['[D1] x', 'failed']] }, 1).isStray).toBe(false);
  });

  it('catches a broken row by a test of it that failed, and by nothing less', () => {
    const verdict = (files: Parameters<typeof run>[0]) => verdictOnMutant(ROW, run(files, 1));
    expect(
      verdict({
        'test/a.test.ts': [
          ['[D1] x', 'failed'],
          ['[D1] y', 'skipped'],
        ],
      }),
    ).toBe('caught');
    expect(verdict({ 'test/a.test.ts': passed, 'test/b.test.ts': passed })).toBe('SURVIVED');
    expect(verdict({ 'test/a.test.ts': passed, 'test/b.test.ts': [['another', 'failed']] })).toBe('SURVIVED');
    expect(verdict({ 'test/a.test.ts': [] })).toBe('not tried, test/a.test.ts did not run: SyntaxError: x');
    expect(verdict({ 'test/a.test.ts': [['[D1] x', 'skipped']] })).toBe('not tried, no test ran');
  });
});

describe.each(['run.ts', 'mutants.ts'])('the command of %s', (file) => {
  it('ends with 1 and says which rows there are when it is asked for another one', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'test/spec', file), 'Z1'], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([1, expect.stringContaining('There is no row Z1. Rows are D1-D10, ')]);
  });
});
