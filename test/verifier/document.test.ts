import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REASONS } from '../../verifier/finding.ts';

const DOCUMENT = readFileSync(new URL('../../docs/audit-verification.md', import.meta.url), 'utf8');
const MAIN = readFileSync(new URL('../../verifier/main.ts', import.meta.url), 'utf8');

describe('docs/audit-verification.md', () => {
  it('explains every kind of finding once, and no other', () => {
    const table = DOCUMENT.slice(DOCUMENT.indexOf('| kind |'), DOCUMENT.indexOf('Of the exporter'));
    const explained = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason as string);
    expect(explained.sort()).toEqual([...REASONS].sort());
  });

  it('has the options of the command', () => {
    const taken = [...MAIN.matchAll(/^ {8}'?([\w-]+)'?: \{ type: '/gm)].map(([, name]) => `--${name}`);
    expect(taken.length).toBeGreaterThan(4);
    const described = [...DOCUMENT.matchAll(/^\| `(--[\w-]+)/gm)].map(([, name]) => name as string);
    expect(described.sort()).toEqual(taken.sort());
  });
});
