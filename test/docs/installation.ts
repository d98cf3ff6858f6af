import { afterAll, beforeAll, expect, it } from 'vitest';
import { ADMIN, type Instance, startInstance } from '../helpers/instance.ts';
import type { Document } from './document.ts';
import { brokenLinks, missingFiles, unknownRoutes } from './facts.ts';
import { openShell, type Shell } from './shell.ts';

/** An installation of their own for the tests of the present `describe`, and the shell of somebody who sits before it. */
export function onInstallation(): { readonly instance: () => Instance; readonly shell: () => Shell } {
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
  return { instance: () => instance, shell: () => shell };
}

/** Defines the test that every page, file and route that a document names is there. */
export function testReferences(page: Document): void {
  it('leads to pages, files and routes that exist', () => {
    expect(brokenLinks(page)).toEqual([]);
    expect(missingFiles(page)).toEqual([]);
    expect(unknownRoutes(page)).toEqual([]);
  });
}
