import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { compileRuleSet, type RuleEngine } from '../domain/risk/rule-engine.ts';
import type { RuleSetFault } from '../domain/risk/rule-set.ts';
import { checkRuleSet } from '../platform/rule-set-document.ts';

/** A rule set that cannot be used, with every fault of it on a line of its own. */
export class RuleSetFileError extends Error {
  override readonly name = 'RuleSetFileError';
}

/**
 * Reads and compiles a rule set of a file; its version is the file's name without the ending.
 * @throws RuleSetFileError naming every fault with its JSON pointer, and the position in an expression where there is one
 */
export function readRuleSetFile(path: string): RuleEngine {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new RuleSetFileError(`${path}: there is no such file`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new RuleSetFileError(`${path} is no JSON: ${(error as Error).message}`);
  }
  const { document, faults } = checkRuleSet(parsed);
  if (document === null) throw faulty(path, faults);
  return compileRuleSet(document, basename(path).replace(/\.json$/, ''));
}

function faulty(path: string, faults: readonly RuleSetFault[]): RuleSetFileError {
  const lines = faults.map(
    ({ pointer, message, position }) =>
      `  ${pointer || '/'}${position === undefined ? '' : `, character ${position + 1}`}: ${message}`,
  );
  return new RuleSetFileError(`${path} has ${faults.length} fault(s):\n${lines.join('\n')}`);
}
