import { describe, expect, it } from 'vitest';
import { readDocument } from './document.ts';
import { testExamples } from './examples.ts';
import { onInstallation } from './installation.ts';

const calendar = readDocument('docs/OPERATIONS_CALENDAR.md');
const nextReview = calendar.rows.find(({ cells }) => cells[0] === 'Next review')?.cells[1] ?? '';

describe('[G5] its commands, on one installation', () => {
  const { instance, shell } = onInstallation();
  testExamples('[G5]', calendar, shell);

  it('doctor prints the date', async () => {
    const { output } = await instance().cli('doctor', '--json');
    const { findings } = JSON.parse(output) as { findings: { id: string; detail: string }[] };
    expect(findings.find(({ id }) => id === 'next-review')?.detail).toContain(nextReview);
  });
});
