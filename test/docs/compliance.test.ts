import { describe, expect, it } from 'vitest';
import { readSpec } from '../spec/rows.ts';
import { readDocument, type TableRow } from './document.ts';
import {
  brokenLinks,
  missingFiles,
  unknownActions,
  unknownRoutes,
  unknownRowIds,
  wrongErrorCodes,
  wrongValues,
  wrongVariables,
} from './facts.ts';

const page = readDocument('docs/COMPLIANCE.md');

const numbered = (prefix: string, count: number, digits = 1) =>
  Array.from({ length: count }, (_, n) => prefix + String(n + 1).padStart(digits, '0'));

/** Every group of requirements that a standard has, by the section of the page, as the standards number them. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'OWASP Top 10:2025': numbered('A', 10, 2),
  'OWASP ASVS 5.0.0': numbered('V', 17),
  'PCI DSS v4.0.1': numbered('', 12),
  'SOC 2 trust services criteria': [...numbered('CC', 9), 'A1', 'C1', 'PI1', 'P'],
  'HIPAA Security Rule': [
    ...['164.308', '164.310', '164.312(a)', '164.312(b)', '164.312(c)', '164.312(d)', '164.312(e)'],
    ...['164.314', '164.316'],
  ],
};

const rowsOf = (section: string): TableRow[] => page.rows.filter((row) => row.section === section);
const mapped = Object.keys(GROUPS).flatMap(rowsOf);
const rowIdsIn = (text: string): string[] => [...text.matchAll(/`([A-Z]\d{1,2})`/g)].map(([, id]) => id as string);

describe('[G6] the compliance reference', () => {
  it.each(Object.entries(GROUPS))('maps every group of %s, once and in its order', (section, groups) => {
    expect(rowsOf(section).map(({ cells }) => cells[0]?.split(' ')[0])).toEqual(groups);
  });

  it('says for each what is done, the evidence, and what stays with the operator', () => {
    for (const { cells, line } of mapped) {
      expect(cells, `line ${line}`).toHaveLength(4);
      for (const cell of cells) expect(cell, `line ${line}`).not.toBe('');
    }
  });

  it('claims nothing without a row of the list or a test, and says where nothing is claimed', () => {
    for (const { cells, line } of mapped) {
      const [, does = '', evidence = '', operator = ''] = cells;
      if (evidence === 'operator') {
        expect(does, `line ${line}`).toMatch(/^(nothing|not )/);
        continue;
      }
      const isHeld = rowIdsIn(evidence).length > 0 || /\.test\.ts\)/.test(evidence);
      expect(isHeld, `line ${line}: ${evidence}`).toBe(true);
      expect(operator).not.toBe('');
    }
  });

  it('takes as evidence only rows that have files, tests and a change that breaks them', () => {
    const held = new Set(readSpec().map(({ id }) => id));
    const named = mapped.flatMap(({ cells }) => rowIdsIn(cells[2] ?? ''));
    expect(named.length).toBeGreaterThan(120);
    expect(named.filter((id) => !held.has(id))).toEqual([]);
  });

  it('leads to files, routes, variables, codes and rows that exist, and names defaults as they are', () => {
    expect(brokenLinks(page)).toEqual([]);
    expect(missingFiles(page)).toEqual([]);
    expect(unknownRoutes(page)).toEqual([]);
    expect(wrongVariables(page)).toEqual([]);
    expect(wrongErrorCodes(page)).toEqual([]);
    expect(unknownActions(page)).toEqual([]);
    expect(unknownRowIds(page)).toEqual([]);
  });

  it('names figures as the code has them', async () => {
    const { compared, wrong } = await wrongValues(page);
    expect(wrong).toEqual([]);
    expect(compared).toBe(rowsOf('Numbers that assessors ask for').length);
  });

  it('says first that it is no certificate, and which requirements the defaults do not meet', () => {
    expect(page.text.indexOf('no certificate')).toBeGreaterThan(0);
    expect(page.text.indexOf('no certificate')).toBeLessThan(page.text.indexOf('## '));
    expect(page.headings[1]).toBe('What is not met by default');
    expect(rowsOf('What is not met by default').length).toBeGreaterThan(5);
  });
});
