import type { Window } from '../domain/risk/backtest.ts';
import { compileRuleSet, type RuleEngine } from '../domain/risk/rule-engine.ts';
import type { RuleSetDocument } from '../domain/risk/rule-set.ts';
import { PUBLISHED_RULE_SETS, RECOMMENDED_VERSION } from '../domain/risk/rule-sets/published.ts';
import type { BacktestFlags, BacktestSource } from './backtest-run.ts';
import { readRuleSetFile } from './rule-set-file.ts';

/** What a back-test asks of an installation. */
export interface InstallationAccess {
  /** Its version's document; undefined where there is no such version. */
  document(version: string): Promise<RuleSetDocument | undefined>;
  liveVersion(): Promise<string>;
  /** Its recorded transactions up to the period's end. */
  recorded(flags: BacktestFlags, asked: { readonly period: Window }): Promise<BacktestSource>;
  close(): Promise<void>;
}

const DEFAULT_BASE = 'v1';

/**
 * The rule sets that were asked for, compiled. An installation is asked only for versions that the program does not bring
 * along; a published one is the program's own everywhere.
 *
 * @param installation the one whose transactions are judged
 * @param connect reaches one when a file is judged and a version has to be looked up all the same
 */
export async function openRuleSets(
  flags: Pick<BacktestFlags, 'ruleSet' | 'base'>,
  installation: InstallationAccess | undefined,
  connect: () => Promise<InstallationAccess>,
): Promise<{ readonly engines: readonly RuleEngine[]; readonly base: RuleEngine }> {
  const opened = new Map<string, Promise<RuleEngine>>();
  const open = (name: string) => {
    const key = name === 'recommended' ? RECOMMENDED_VERSION : name;
    const known = opened.get(key) ?? openOne(key, installation, connect);
    opened.set(key, known);
    return known;
  };
  const engines: RuleEngine[] = [];
  for (const name of flags.ruleSet ?? ['recommended']) engines.push(await open(name));
  const versions = engines.map(({ version }) => version);
  const twice = versions.find((version, index) => versions.indexOf(version) !== index);
  if (twice !== undefined) throw new Error(`--rule-set: ${twice} is named twice.`);
  return { engines, base: await open(flags.base ?? (await installation?.liveVersion()) ?? DEFAULT_BASE) };
}

async function openOne(
  name: string,
  installation: InstallationAccess | undefined,
  connect: () => Promise<InstallationAccess>,
): Promise<RuleEngine> {
  if (Object.hasOwn(PUBLISHED_RULE_SETS, name)) {
    return compileRuleSet(PUBLISHED_RULE_SETS[name] as RuleSetDocument, name);
  }
  if (name.endsWith('.json')) return readRuleSetFile(name);
  const known = `Known are ${Object.keys(PUBLISHED_RULE_SETS).join(', ')}, recommended, a FILE.json, and the versions of an installation.`;
  let asked: InstallationAccess;
  try {
    asked = installation ?? (await connect());
  } catch (error) {
    throw new Error(`Rule set ${name}: no installation could be asked. ${known}`, { cause: error });
  }
  try {
    const document = await asked.document(name);
    if (document === undefined) throw new Error(`There is no rule set ${name}. ${known}`);
    return compileRuleSet(document, name);
  } finally {
    if (asked !== installation) await asked.close();
  }
}
