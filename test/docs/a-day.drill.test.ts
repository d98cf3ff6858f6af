import { describe } from 'vitest';
import { readDocument } from './document.ts';
import { testExamples } from './examples.ts';
import { onInstallation, testReferences } from './installation.ts';

const page = readDocument('docs/a-day.md');

describe('a whole day of a customer, a reviewer and an administrator', () => {
  const { shell } = onInstallation();
  testReferences(page);
  testExamples('every call', page, shell);
});
