import { expect, it } from 'vitest';
import { faultsOf } from './faults.ts';
import { readSpec } from './rows.ts';

it('docs/spec.md has every row of the customer’s list, and whatever it names is there', () => {
  expect(faultsOf(readSpec())).toEqual([]);
});
