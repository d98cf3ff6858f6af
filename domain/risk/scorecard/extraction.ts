import { createExpressions } from '../expression.ts';
import type { TransactionFeatures } from '../features.ts';
import { RuleSetError, type RuleSetFault } from '../rule-set.ts';
import { type Characteristic, floorOf } from './characteristics.ts';

/**
 * Reads characteristics by the expressions that the rules will have.
 *
 * @returns a function that writes the number of each into `into`; NaN where it is unknown. It throws RangeError for a
 *   number that is not finite or not above its floor
 * @throws RuleSetError for an expression that does not compile
 */
export function createExtractor(
  characteristics: readonly Characteristic[],
): (features: TransactionFeatures, into: Float64Array) => void {
  const expressions = createExpressions({}, []);
  const faults: RuleSetFault[] = [];
  const readers = characteristics.map((characteristic, index) => {
    const of = expressions.compile(characteristic.of, 'number', `/${index}/of`);
    const gap = characteristic.unknown;
    const unknown = gap === undefined ? undefined : expressions.compile(gap.when, 'bool', `/${index}/unknown`);
    if (typeof of !== 'function') faults.push(of);
    if (unknown !== undefined && typeof unknown !== 'function') faults.push(unknown);
    return { of, unknown, id: characteristic.id, floor: floorOf(characteristic) };
  });
  if (faults.length > 0) throw new RuleSetError(faults);
  return (features, into) => {
    for (let index = 0; index < readers.length; index += 1) {
      const { of, unknown, id, floor } = readers[index] as (typeof readers)[number];
      if (typeof unknown === 'function' && unknown(features)) {
        into[index] = Number.NaN;
        continue;
      }
      const value = (of as (input: TransactionFeatures) => number)(features);
      if (!(value > floor && value < Number.POSITIVE_INFINITY)) throw new RangeError(`${id} is ${value}`);
      into[index] = value;
    }
  };
}
