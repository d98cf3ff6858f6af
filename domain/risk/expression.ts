import { TypeError as CelTypeError, Environment, EvaluationError, ParseError } from '@marcbachmann/cel-js';
import type { TransactionFeatures } from './features.ts';
import type { RuleSetFault } from './rule-set.ts';
import { VOCABULARY } from './vocabulary.ts';

/** A checked expression; it throws where an operation fails (a division of integers by zero). */
export type Expression<T> = (input: ExpressionInput) => T;

/** What expressions see: the features, and one flag a list. */
export type ExpressionInput = TransactionFeatures | (TransactionFeatures & Readonly<Record<`on_${string}`, boolean>>);

/** What an expression may come to: `number` covers CEL's int and double, `value` numbers and text. */
export type ResultKind = 'bool' | 'number' | 'value';

const LIMITS = {
  maxAstNodes: 200,
  maxDepth: 30,
  maxListElements: 100,
  maxMapEntries: 10,
  maxCallArguments: 8,
} as const;
const KINDS: Readonly<Record<ResultKind, readonly string[]>> = {
  bool: ['bool'],
  number: ['int', 'uint', 'double'],
  value: ['int', 'uint', 'double', 'string'],
};

/**
 * The language of rules: CEL (cel.dev, common expression language) over the vocabulary, parameters and lists.
 * Expressions are checked once and run many times; they cannot loop, call out or change anything.
 */
export function createExpressions(params: Readonly<Record<string, number>>, lists: readonly string[]) {
  const environment = new Environment({ limits: LIMITS });
  for (const [name, { type, description }] of Object.entries(VOCABULARY)) {
    environment.registerVariable(name, type, { description });
  }
  for (const [name, value] of Object.entries(params)) environment.registerConstant(name, 'double', value);
  for (const name of lists) environment.registerVariable(`on_${name}`, 'bool');

  return {
    /**
     * Compiles one expression.
     * @returns the expression, or the fault with its position
     */
    compile<K extends ResultKind>(
      source: string,
      kind: K,
      pointer: string,
    ): Expression<K extends 'bool' ? boolean : K extends 'number' ? number : number | string> | RuleSetFault {
      const { valid, type, error } = environment.check(source);
      if (!valid) return faultOf(pointer, error);
      if (!KINDS[kind].includes(type ?? '')) {
        return { pointer, message: `must be a ${kind}, and is a ${type}`, position: 0 };
      }
      const run = environment.parse(source);
      // CEL's integers are bigints.
      return ((input: ExpressionInput) => {
        const value = run(input);
        return typeof value === 'bigint' ? Number(value) : value;
      }) as never;
    },
  };
}

export type Expressions = ReturnType<typeof createExpressions>;

function faultOf(pointer: string, error: unknown): RuleSetFault {
  if (error instanceof ParseError || error instanceof CelTypeError || error instanceof EvaluationError) {
    return { pointer, message: error.summary, ...(error.range === undefined ? {} : { position: error.range.start }) };
  }
  return { pointer, message: 'cannot be read' };
}
