import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, type Instance, startInstance } from '../helpers/instance.ts';
import { readDocument } from './document.ts';
import { testExamples } from './examples.ts';
import { brokenLinks, missingFiles, unknownRoutes } from './facts.ts';
import { openShell, type Shell } from './shell.ts';

const page = readDocument('docs/review.md');

describe('a held transaction from its claim to its chargeback', () => {
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

  it('leads to pages, files and routes that exist', () => {
    expect(brokenLinks(page)).toEqual([]);
    expect(missingFiles(page)).toEqual([]);
    expect(unknownRoutes(page)).toEqual([]);
  });

  testExamples('every call', page, () => shell);
});
