import { afterAll, beforeAll, describe } from 'vitest';
import { ADMIN, type Instance, startInstance } from '../helpers/instance.ts';
import { readDocument } from './document.ts';
import { testExamples } from './examples.ts';
import { openShell, type Shell } from './shell.ts';

const playbook = readDocument('docs/INCIDENT_RESPONSE.md');

describe('[G2] its procedures, as drills on one installation', () => {
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

  testExamples('[G2]', playbook, () => shell);
});
