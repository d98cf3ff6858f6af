import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDocument } from './document.ts';
import { testExamples } from './examples.ts';
import { brokenLinks, missingFiles } from './facts.ts';
import { openShell, type Shell } from './shell.ts';

const page = readDocument('docs/backtest.md');

describe('back-testing rule sets', () => {
  let shell: Shell;
  beforeAll(() => {
    shell = openShell({});
  });
  afterAll(() => shell?.close());

  it('leads to pages and files that exist', () => {
    expect(brokenLinks(page)).toEqual([]);
    expect(missingFiles(page)).toEqual([]);
  });

  it('has every option of the command, and no other', async () => {
    const { output } = await shell.run('node cli/bin.js backtest --help');
    const offered = [...output.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, option]) => option).toSorted();
    const documented = [...page.text.matchAll(/`(--[a-z-]+)/g)].map(([, option]) => option ?? '');
    expect([...new Set([...documented, '--data-dir'])].toSorted()).toEqual(offered);
  });

  testExamples('the example', page, () => shell);
});
