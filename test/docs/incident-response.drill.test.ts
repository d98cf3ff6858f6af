import { describe } from 'vitest';
import { readDocument } from './document.ts';
import { testExamples } from './examples.ts';
import { onInstallation } from './installation.ts';

const playbook = readDocument('docs/INCIDENT_RESPONSE.md');

describe('[G2] its procedures, as drills on one installation', () => {
  const { shell } = onInstallation();
  testExamples('[G2]', playbook, shell);
});
