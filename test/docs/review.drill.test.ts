import { describe } from 'vitest';
import { readDocument } from './document.ts';
import { testExamples } from './examples.ts';
import { onInstallation, testReferences } from './installation.ts';

const page = readDocument('docs/review.md');

describe('a held transaction from its claim to its chargeback', () => {
  const { shell } = onInstallation();
  testReferences(page);
  testExamples('every call', page, shell);
});
