import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, type Instance, startInstance } from '../helpers/instance.ts';
import { readDocument } from './document.ts';
import { testExamples } from './examples.ts';
import { openShell, type Shell } from './shell.ts';

const calendar = readDocument('docs/OPERATIONS_CALENDAR.md');
const nextReview = calendar.rows.find(({ cells }) => cells[0] === 'Next review')?.cells[1] ?? '';

describe('[G5] its commands, on one installation', () => {
  let instance: Instance;
  let shell: Shell;
  beforeAll(async () => {
    instance = await startInstance();
    shell = openShell({ DATA: instance.dataDir, ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password });
  });
  afterAll(async () => {
    await shell?.close();
    await instance?.stop();
  });

  testExamples('[G5]', calendar, () => shell);

  it('doctor prints the date', async () => {
    const { output } = await instance.cli('doctor', '--json');
    const { findings } = JSON.parse(output) as { findings: { id: string; detail: string }[] };
    expect(findings.find(({ id }) => id === 'next-review')?.detail).toContain(nextReview);
  });
});
