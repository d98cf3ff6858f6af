import { describe } from 'vitest';
import { readDocument } from './document.ts';
import { testExamples } from './examples.ts';
import { onInstallation, testReferences } from './installation.ts';

const page = readDocument('docs/money.md');

describe('currencies, rates, tiers and limits', () => {
  const { shell } = onInstallation();
  testReferences(page);
  testExamples('every call', page, shell);
});
