import { describe, expect, it } from 'vitest';
import { compileRuleSet } from '../../domain/risk/rule-engine.ts';
import type { RuleSetDocument } from '../../domain/risk/rule-set.ts';
import { VOCABULARY } from '../../domain/risk/vocabulary.ts';
import { checkRuleSet } from '../../platform/rule-set-document.ts';
import { readDocument } from './document.ts';
import { brokenLinks, missingFiles, unknownActions, unknownRoutes, wrongErrorCodes, wrongVariables } from './facts.ts';

const guide = readDocument('docs/rules.md');
const example = JSON.parse(guide.blocks.find(({ language }) => language === 'json')?.text ?? '') as RuleSetDocument;

describe('the guide to rule sets', () => {
  it('shows the vocabulary as the program has it, every feature in its order', () => {
    const rows = guide.rows.filter(({ section }) => section === 'Vocabulary').map(({ cells }) => cells);
    const known = Object.entries(VOCABULARY).map(([name, { type, unit, description }]) => [
      `\`${name}\``,
      type,
      unit,
      description.replaceAll('|', '\\|'),
    ]);
    expect(rows).toEqual(known);
  });

  it('has an example that can be saved, and expressions that compile', () => {
    expect(checkRuleSet(example).faults).toEqual([]);
    const expressions = guide.blocks.find(({ section, language }) => section === 'Expressions' && language === 'text');
    const conditions = expressions?.text.trim().split('\n') ?? [];
    expect(conditions.length).toBeGreaterThan(3);
    const rules = conditions.map((when, n) => ({ id: `r${n}`, title: 'An example', when, points: 1 }));
    expect(() => compileRuleSet({ ...example, rules }, 'documented')).not.toThrow();
  });

  it('names links, files, routes, variables, errors and audit events that exist', () => {
    for (const path of [
      'docs/rules.md',
      'docs/adr/0050-rules-are-data-in-cel.md',
      'docs/adr/0051-a-breaker-for-rule-sets.md',
    ]) {
      const document = readDocument(path);
      expect(brokenLinks(document), path).toEqual([]);
      expect(missingFiles(document), path).toEqual([]);
      expect(unknownRoutes(document), path).toEqual([]);
      expect(wrongErrorCodes(document), path).toEqual([]);
      expect(unknownActions(document), path).toEqual([]);
      expect(wrongVariables(document), path).toEqual([]);
    }
  });
});
