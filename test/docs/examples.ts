import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { type Block, type Document, normalised } from './document.ts';
import type { Shell } from './shell.ts';

/**
 * One test for each `sh` block of a document, in its order and in one shell, and one that compares what the blocks answer
 * with the `text` blocks right behind them. `vitest -u` writes what was answered into the document.
 *
 * @param title begins the title of each test
 * @param shell asked when the tests run
 * @returns what each block answered, for further looks at it
 */
export function testExamples(title: string, document: Document, shell: () => Shell): ReadonlyMap<Block, string> {
  const runnable = document.blocks.filter(({ language }) => language === 'sh');
  const answers = new Map<Block, string>();

  it.each(runnable.map((block) => [block.section, block.line, block] as const))(
    `${title}: %s, line %i`,
    async (_, _line, block) => {
      const { code, output } = await shell().run(block.text);
      expect(code, output).toBe(0);
      answers.set(block, output);
    },
  );

  it(`${title}: the answers are what the document shows`, async () => {
    expect(answers.size).toBe(runnable.length);
    await expect(withAnswers(document, answers)).toMatchFileSnapshot(
      fileURLToPath(new URL(`../../${document.path}`, import.meta.url)),
    );
  });
  return answers;
}

/** The text of the document, its shown answers replaced where the given ones differ in more than ids and times. */
export function withAnswers(document: Document, answers: ReadonlyMap<Block, string>): string {
  let { text } = document;
  for (const [{ language, text: source, output: shown }, output] of answers) {
    if (shown === undefined || normalised(shown) === normalised(output)) continue;
    const head = `\`\`\`${language}\n${source}\`\`\`\n\n\`\`\`text\n`;
    text = text.replace(
      `${head}${shown === '' ? '' : `${shown}\n`}\`\`\``,
      () => `${head}${normalised(output)}\n\`\`\``,
    );
  }
  return text;
}
