import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, type Instance, startInstance } from '../helpers/instance.ts';
import { type Block, readDocument } from './document.ts';
import { withAnswers } from './examples.ts';
import {
  brokenLinks,
  missingFiles,
  unknownActions,
  unknownRoutes,
  unknownRowIds,
  wrongErrorCodes,
  wrongValues,
  wrongVariables,
} from './facts.ts';
import { openShell, runTypeScript, type Shell, type ShellResult } from './shell.ts';

const PATH = 'docs/SECURITY_ARCHITECTURE.md';
const guide = readDocument(PATH);
const runnable = guide.blocks.filter(({ language }) => ['sh', 'sql', 'ts'].includes(language));

describe('[G1] what the security architecture says', () => {
  it('stands in nine sections, each with how to check it, what an operator sees, and its limits', () => {
    const parts = guide.text.split(/^## /m).slice(1);
    const sections = parts.filter((part) => /^\d\. /.test(part));
    expect(sections.map((part) => part.slice(0, 2))).toEqual(['1.', '2.', '3.', '4.', '5.', '6.', '7.', '8.', '9.']);
    for (const section of sections) {
      for (const part of ['What an operator sees', 'Check it yourself', 'Known limits']) {
        expect(section, section.split('\n')[0]).toMatch(new RegExp(`^### (?:\\d\\.\\d )?${part}$`, 'm'));
      }
      expect(section, section.split('\n')[0]).toMatch(/^```(sh|sql|ts)$/m);
    }
    expect(guide.text.split('\n').filter((line) => line.trim() !== '').length).toBeGreaterThan(600);
  });

  it('leads to files and headings that exist', () => {
    expect(brokenLinks(guide)).toEqual([]);
    expect(missingFiles(guide)).toEqual([]);
  });

  it('names routes, variables, errors, audit events and rows that the program has', () => {
    expect(unknownRoutes(guide)).toEqual([]);
    expect(wrongVariables(guide)).toEqual([]);
    expect(wrongErrorCodes(guide)).toEqual([]);
    expect(unknownActions(guide)).toEqual([]);
    expect(unknownRowIds(guide)).toEqual([]);
  });

  it('names thresholds and weights as the code has them', async () => {
    const { compared, wrong } = await wrongValues(guide);
    expect(wrong).toEqual([]);
    expect(compared).toBeGreaterThan(40);
  });
});

describe('[G1] its commands, in their order, on one installation', () => {
  let instance: Instance;
  let shell: Shell;
  const answers = new Map<Block, string>();

  beforeAll(async () => {
    instance = await startInstance();
    shell = openShell({ DATA: instance.dataDir, ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password });
  });
  afterAll(async () => {
    await shell?.close();
    await instance?.stop();
  });

  function run({ language, text, output }: Block): Promise<ShellResult> {
    if (language === 'ts') return runTypeScript(text, { DATA: instance.dataDir });
    return language === 'sql' ? query(text, output !== undefined) : shell.run(text);
  }

  /** As psql -A prints it. An error is an answer where the document shows one. */
  async function query(text: string, isShown: boolean): Promise<ShellResult> {
    try {
      // Of several statements there are no rows.
      const rows: Record<string, unknown>[] | undefined = await instance.sql(text);
      const names = Object.keys(rows?.[0] ?? {});
      const lines = (rows ?? []).map((row) => names.map((name) => cell(row[name])).join('|'));
      return { code: 0, output: [names.join('|'), ...lines].join('\n') };
    } catch (error) {
      return { code: isShown ? 0 : 1, output: `ERROR:  ${(error as Error).message}` };
    }
  }

  it.each(runnable.map((block) => [block.section, block.line, block] as const))(
    '%s, line %i',
    async (_, _line, block) => {
      const { code, output } = await run(block);
      expect(code, output).toBe(0);
      answers.set(block, output);
    },
  );

  it('answer what the document shows', async () => {
    expect(answers.size).toBe(runnable.length);
    await expect(withAnswers(guide, answers)).toMatchFileSnapshot(
      fileURLToPath(new URL(`../../${PATH}`, import.meta.url)),
    );
  });
});

function cell(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`;
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '');
}
