import { createExpressions, type Expression, type Expressions } from './expression.ts';
import type { TransactionFeatures } from './features.ts';
import { errorReason, hasError, type Reason, type ReasonValue, type RuleErrorListener } from './reasons.ts';
import { type PreparedList, prepareList } from './rule-lists.ts';
import {
  DENY_POINTS,
  RULE_SET_FORMAT,
  type RuleBand,
  type RuleDefinition,
  type RuleNote,
  type RuleSetDocument,
  RuleSetError,
  type RuleSetFault,
  type ScoreThresholds,
} from './rule-set.ts';
import { clampScore, type ScoreHundredths } from './score.ts';
import { type FeatureUnit, VOCABULARY } from './vocabulary.ts';

export interface TransactionAssessment {
  readonly ruleSetVersion: string;
  readonly score: ScoreHundredths;
  /** Every rule's contribution, fired or not. */
  readonly reasons: readonly Reason[];
  /** A rule could not be computed: at least a step-up, whatever the score. */
  readonly hasError: boolean;
}

/** A rule set ready to judge. It holds no state; the same features give the same assessment for ever. */
export interface RuleEngine {
  readonly version: string;
  readonly document: RuleSetDocument;
  readonly thresholds: ScoreThresholds;
  /**
   * Judges a transaction, with every rule's reason. A rule that throws becomes an `error` reason.
   * @param extra reasons found elsewhere (a failed look-up as `errorReason`, for instance), scored along
   */
  assess(
    features: TransactionFeatures,
    extra?: readonly Reason[],
    onRuleError?: RuleErrorListener,
  ): TransactionAssessment;
  /** The score alone, without explanations; null when a rule failed. The same number as {@link assess} gives. */
  score(features: TransactionFeatures): ScoreHundredths | null;
  /**
   * The points of each rule, by its index in the document, into `into`; rules that fail give NaN.
   * @returns the score, null when a rule failed
   */
  points(features: TransactionFeatures, into: Float64Array): ScoreHundredths | null;
}

/**
 * Compiles a document.
 * @param version what decisions are stored under
 * @throws RuleSetError naming every fault with its place
 */
export function compileRuleSet(document: RuleSetDocument, version: string): RuleEngine {
  const faults: RuleSetFault[] = checkShape(document);
  const lists: PreparedList[] = [];
  for (const [index, list] of (document.lists ?? []).entries()) {
    const prepared = prepareList(list, `/lists/${index}`);
    if ('name' in prepared) lists.push(prepared);
    else faults.push(...prepared);
  }
  if (faults.length > 0) throw new RuleSetError(faults);
  const expressions = createExpressions(
    document.params ?? {},
    lists.map(({ name }) => name),
  );
  const rules = document.rules.map((rule, index) => compileRule(rule, `/rules/${index}`, expressions, faults));
  if (faults.length > 0) throw new RuleSetError(faults);
  return createEngine(document, version, rules, lists);
}

interface CompiledRule {
  readonly definition: RuleDefinition;
  readonly notes: ReadonlyArray<{ readonly when: Expression<boolean>; readonly note: RuleNote['note'] }>;
  readonly when: Expression<boolean> | undefined;
  readonly of: Expression<number> | undefined;
  readonly value: Expression<number | string> | undefined;
  readonly baseline: Expression<number | string> | undefined;
  readonly threshold: Expression<number | string> | undefined;
  readonly unit: FeatureUnit | undefined;
}

function createEngine(
  document: RuleSetDocument,
  version: string,
  rules: readonly CompiledRule[],
  lists: readonly PreparedList[],
): RuleEngine {
  const base = document.base ?? 0;
  const baseReason: Reason = {
    ruleId: 'base',
    title: 'Base score',
    value: null,
    baseline: null,
    threshold: null,
    points: base,
  };

  function points(features: TransactionFeatures, into: Float64Array): ScoreHundredths | null {
    const input = lists.length === 0 ? features : withLists(features, lists);
    let sum = base;
    for (let index = 0; index < rules.length; index += 1) {
      const rule = rules[index] as CompiledRule;
      let given: number;
      try {
        given = pointsOf(rule, input);
      } catch {
        given = Number.NaN;
      }
      into[index] = given;
      sum += given;
    }
    if (lists.length > 0) {
      if (isOn(lists, 'deny', features)) return clampScore(DENY_POINTS);
      if (!Number.isNaN(sum) && isOn(lists, 'allow', features)) return 0;
    }
    return Number.isNaN(sum) ? null : clampScore(sum);
  }

  const scratch = new Float64Array(rules.length);
  return {
    version,
    document,
    thresholds: document.thresholds,
    points,
    score: (features) => points(features, scratch),
    assess(features, extra = [], onRuleError) {
      const input = lists.length === 0 ? features : withLists(features, lists);
      const isAllowed = !isOn(lists, 'deny', features) && isOn(lists, 'allow', features);
      const judged = rules.map((rule) => reasonOf(rule, input, onRuleError));
      const listed = lists
        .filter((list) => list.effect !== 'tag' && list.has(features))
        .map((list) => listReason(list, features));
      const reasons: Reason[] = [
        ...(base === 0 ? [] : [isAllowed ? { ...baseReason, points: 0 } : baseReason]),
        ...(isAllowed ? judged.map(silence) : judged),
        ...listed,
        ...extra,
      ];
      const score = clampScore(reasons.reduce((sum, reason) => sum + reason.points, 0));
      return { ruleSetVersion: version, score, reasons, hasError: hasError(reasons) };
    },
  };
}

/** The band or points that a rule gives. */
function pointsOf(rule: CompiledRule, input: TransactionFeatures): number {
  for (const { when } of rule.notes) if (when(input)) return 0;
  if (rule.when !== undefined && !rule.when(input)) return 0;
  if (rule.of === undefined) return rule.definition.points ?? 0;
  return bandOf(rule, rule.of(input))?.points ?? 0;
}

function bandOf(rule: CompiledRule, value: number): RuleBand | undefined {
  return rule.definition.bands?.findLast(({ above }) => value > above);
}

function reasonOf(rule: CompiledRule, input: TransactionFeatures, onRuleError?: RuleErrorListener): Reason {
  const { id, title } = rule.definition;
  try {
    const note = rule.notes.find(({ when }) => when(input))?.note;
    const reason = {
      ruleId: id,
      title,
      value: rule.value === undefined ? null : rule.value(input),
      ...(note === undefined ? against(rule, input) : { baseline: null, threshold: null }),
      points: pointsOf(rule, input),
    };
    return {
      ...reason,
      ...(rule.unit === undefined ? {} : { unit: rule.unit }),
      ...(note === undefined ? {} : { note }),
    };
  } catch (error) {
    onRuleError?.(id, error);
    return errorReason(id, title);
  }
}

/** What the value is held against: as the rule explains it, or the bands' own limits. */
function against(rule: CompiledRule, input: TransactionFeatures): { baseline: ReasonValue; threshold: ReasonValue } {
  const baseline = rule.baseline === undefined ? null : rule.baseline(input);
  if (rule.threshold !== undefined || rule.of === undefined) {
    return { baseline, threshold: rule.threshold === undefined ? null : rule.threshold(input) };
  }
  const band = bandOf(rule, rule.of(input)) ?? rule.definition.bands?.[0];
  return { baseline, threshold: band?.above ?? null };
}

function silence(reason: Reason): Reason {
  return reason.points === 0 ? reason : { ...reason, points: 0, note: 'allow_listed' };
}

function listReason(list: PreparedList, features: TransactionFeatures): Reason {
  return {
    ruleId: `list:${list.name}`,
    title: list.effect === 'deny' ? `On the deny list ${list.name}` : `On the allow list ${list.name}`,
    value: features[list.match],
    baseline: null,
    threshold: null,
    points: list.effect === 'deny' ? DENY_POINTS : 0,
    unit: 'text',
  };
}

function withLists(features: TransactionFeatures, lists: readonly PreparedList[]): TransactionFeatures {
  const input: Record<string, unknown> = { ...features };
  for (const list of lists) input[`on_${list.name}`] = list.has(features);
  return input as unknown as TransactionFeatures;
}

function isOn(lists: readonly PreparedList[], effect: 'allow' | 'deny', features: TransactionFeatures): boolean {
  return lists.some((list) => list.effect === effect && list.has(features));
}

function compileRule(
  definition: RuleDefinition,
  pointer: string,
  expressions: Expressions,
  faults: RuleSetFault[],
): CompiledRule {
  const compile = <K extends 'bool' | 'number' | 'value'>(source: string | undefined, kind: K, place: string) => {
    if (source === undefined) return undefined;
    const compiled = expressions.compile(source, kind, `${pointer}${place}`);
    if (typeof compiled === 'function') return compiled;
    faults.push(compiled);
    return undefined;
  };
  const explain = definition.explain ?? {};
  return {
    definition,
    notes: (definition.notes ?? []).flatMap(({ when, note }, index) => {
      const condition = compile(when, 'bool', `/notes/${index}/when`);
      return condition === undefined ? [] : [{ when: condition, note }];
    }),
    when: compile(definition.when, 'bool', '/when'),
    of: compile(definition.of, 'number', '/of'),
    value: compile(explain.value ?? definition.of, 'value', explain.value === undefined ? '/of' : '/explain/value'),
    baseline: compile(explain.baseline, 'value', '/explain/baseline'),
    threshold: compile(explain.threshold, 'value', '/explain/threshold'),
    unit: explain.unit ?? unitOf(explain.value ?? definition.of),
  };
}

/** A feature alone explains itself. */
function unitOf(source: string | undefined): FeatureUnit | undefined {
  if (source === undefined || !Object.hasOwn(VOCABULARY, source)) return undefined;
  return VOCABULARY[source as keyof typeof VOCABULARY].unit;
}

const NAME = /^[a-z][a-z0-9_]{0,39}$/;
const MAX_RULES = 100;

/** What no schema can say: names that meet, points without a condition, bands out of order. */
function checkShape(document: RuleSetDocument): RuleSetFault[] {
  const faults: RuleSetFault[] = [];
  const fault = (pointer: string, message: string) => faults.push({ pointer, message });
  if (document.format !== RULE_SET_FORMAT) fault('/format', `must be ${RULE_SET_FORMAT}`);
  if (document.rules.length > MAX_RULES) fault('/rules', `has more than ${MAX_RULES} rules`);
  const { factorAbove, reviewAbove, escalateAbove } = document.thresholds;
  if (!(factorAbove <= reviewAbove && reviewAbove <= escalateAbove)) {
    fault('/thresholds', 'must ascend: factorAbove, reviewAbove, escalateAbove');
  }
  for (const name of Object.keys(document.params ?? {})) {
    if (!NAME.test(name)) fault(`/params/${name}`, 'must be a lower-case name of up to 40 characters');
    if (Object.hasOwn(VOCABULARY, name)) fault(`/params/${name}`, 'is the name of a feature');
  }
  const names = new Set<string>();
  for (const [index, { name }] of (document.lists ?? []).entries()) {
    if (!NAME.test(name)) fault(`/lists/${index}/name`, 'must be a lower-case name of up to 40 characters');
    if (names.has(name)) fault(`/lists/${index}/name`, 'stands twice');
    names.add(name);
    if (Object.hasOwn(document.params ?? {}, `on_${name}`)) fault(`/lists/${index}/name`, 'meets a parameter');
  }
  const ids = new Set<string>();
  for (const [index, rule] of document.rules.entries()) checkRule(rule, `/rules/${index}`, ids, fault);
  return faults;
}

function checkRule(
  rule: RuleDefinition,
  pointer: string,
  ids: Set<string>,
  fault: (pointer: string, message: string) => void,
): void {
  if (!NAME.test(rule.id) || rule.id === 'base')
    fault(`${pointer}/id`, 'must be a lower-case name of up to 40 characters, and not base');
  if (ids.has(rule.id)) fault(`${pointer}/id`, 'stands twice');
  ids.add(rule.id);
  const isGraded = rule.of !== undefined || rule.bands !== undefined;
  if (isGraded && (rule.of === undefined || rule.bands === undefined || rule.points !== undefined)) {
    fault(pointer, 'has either when and points, or of and bands');
  }
  if (!isGraded && (rule.when === undefined || rule.points === undefined)) {
    fault(pointer, 'has either when and points, or of and bands');
  }
  const bands = rule.bands ?? [];
  for (const [index, band] of bands.entries()) {
    const before = bands[index - 1];
    if (before !== undefined && before.above >= band.above) fault(`${pointer}/bands/${index}`, 'must ascend by above');
  }
}
