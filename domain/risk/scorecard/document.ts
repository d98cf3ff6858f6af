import { RULE_SET_FORMAT, type RuleBand, type RuleDefinition, type RuleSetDocument } from '../rule-set.ts';
import { VOCABULARY } from '../vocabulary.ts';
import { floorOf } from './characteristics.ts';
import type { CardCharacteristic, Scorecard } from './fit.ts';

/** Where a card comes from, for its description. */
export interface CardOrigin {
  /** Hex SHA-256 of the file. */
  readonly sha256: string;
  /** Days, `2018-06-08`: the first and the last that were learned from. */
  readonly from: string;
  readonly to: string;
  readonly transactions: number;
  readonly frauds: number;
  readonly labelDelay: string;
  readonly targetPrecision: number;
  readonly seed: number;
}

/** The card as a rule set that anybody can read, change and put live: one rule a characteristic, its classes as bands. */
export function toRuleSet(card: Scorecard, origin: CardOrigin): RuleSetDocument {
  return {
    format: RULE_SET_FORMAT,
    title: `Scorecard of ${origin.from} to ${origin.to}`,
    description: [
      `Proposed by "tradeguard rules fit" from ${origin.transactions} transactions, ${origin.frauds} of them frauds,`,
      `of ${origin.from} to ${origin.to}, in the file of SHA-256 ${origin.sha256}; seed ${origin.seed}.`,
      `Labels count as known after ${origin.labelDelay}.`,
      `${round(card.factor * Math.LN2, 2)} points double the odds of fraud; 0.7 lies where the validation expects`,
      `a precision of ${round(card.anchors.review.expected, 3)} (asked for: ${origin.targetPrecision}).`,
      'Points were counted, not judged: read them, and add what the file does not know of.',
    ].join(' '),
    thresholds: card.thresholds,
    base: card.base,
    rules: card.characteristics.flatMap((entry) => [...ruleOf(entry), ...unknownRuleOf(entry)]),
  };
}

function ruleOf(entry: CardCharacteristic): RuleDefinition[] {
  const { characteristic, cuts, points } = entry;
  if (points.every((given) => given === 0)) return [];
  const { id, title, of, unit, unknown, risk } = characteristic;
  if (cuts.length === 0) {
    // One class, which weighs against what is unknown.
    return [
      {
        id,
        title: `${title}: known`,
        when: `!(${unknown?.when})`,
        points: points[0] as number,
        explain: { value: of, unit },
      },
    ];
  }
  const condition =
    unknown === undefined
      ? {}
      : unknown.note === undefined
        ? { when: `!(${unknown.when})` }
        : { notes: [{ when: unknown.when, note: unknown.note }] };
  return [
    {
      id,
      title: `${title}: ${risk === 'rises' ? 'above' : 'up to'} ${listed(limitsOf(entry))}`,
      ...condition,
      of,
      bands: bandsOf(entry),
      explain: {
        value: of,
        ...(risk === 'rises' ? {} : { threshold: upperLimit(of, cuts) }),
        ...(Object.hasOwn(VOCABULARY, of) ? {} : { unit }),
      },
    },
  ];
}

function unknownRuleOf({
  characteristic: { id, title, unknown },
  unknownPoints,
}: CardCharacteristic): RuleDefinition[] {
  if (unknown === undefined || unknownPoints === 0) return [];
  return [{ id: `${id}_unknown`, title: `${title}: ${unknown.title}`, when: unknown.when, points: unknownPoints }];
}

/** Bands of the classes; one that gives what the class below gives is left out. */
function bandsOf({ characteristic, cuts, points }: CardCharacteristic): RuleBand[] {
  const all = points.map((given, index) => ({
    above: index === 0 ? floorOf(characteristic) : (cuts[index - 1] as number),
    points: given,
  }));
  return all.filter(({ points: given }, index) => given !== (all[index - 1]?.points ?? 0));
}

/** The limits at which points change. */
function limitsOf({ cuts, points }: CardCharacteristic): number[] {
  return cuts.filter((_, index) => points[index] !== points[index + 1]);
}

function listed(limits: readonly number[]): string {
  const texts = limits.map(String);
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`;
}

/** CEL: the limit that the value stays within, the highest one for a value above all. */
function upperLimit(of: string, cuts: readonly number[]): string {
  const limits = cuts.map(literal);
  return limits
    .slice(0, -1)
    .reduceRight((rest, limit) => `(${of}) <= ${limit} ? ${limit} : ${rest}`, limits.at(-1) ?? '');
}

/** A double as CEL writes it. */
function literal(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? `${value}.0` : String(value);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
