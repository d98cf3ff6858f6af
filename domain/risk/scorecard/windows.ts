import type { Micros } from '../../time.ts';

/** Half-open periods, in their order. */
export interface FitWindows {
  /** Rows before it only fill the history: not one label can have been known then, unlike in live decisions. */
  readonly warmUpTo: Micros;
  readonly trainTo: Micros;
  readonly validationFrom: Micros;
  /** No label of a row from here on has a part in the proposal. */
  readonly validationTo: Micros;
  readonly testFrom: Micros;
  readonly testTo: Micros;
}

export interface WindowChoice {
  readonly labelDelay: Micros;
  readonly trainTo?: Micros | undefined;
  readonly testFrom?: Micros | undefined;
  readonly testTo?: Micros | undefined;
}

/** Share of the time to learn from that goes to the validation. */
const VALIDATION_SHARE = 0.3;
/** Share of the file's time that is the test where nothing else is said. */
const TEST_SHARE = 0.25;

/**
 * Train, gap, validation, gap, test: the gaps are the label delay, after which the outcome of the rows before is known.
 * @param last time of the last row
 * @throws RangeError in a sentence for periods that leave nothing to learn from
 */
export function fitWindows(first: Micros, last: Micros, choice: WindowChoice): FitWindows {
  const { labelDelay } = choice;
  const testTo = choice.testTo ?? last + 1;
  const chosenTrainTo = choice.trainTo;
  const testFrom =
    choice.testFrom ??
    (chosenTrainTo === undefined ? Math.round(last - (last - first) * TEST_SHARE) : chosenTrainTo + labelDelay);
  const validationTo = chosenTrainTo ?? testFrom - labelDelay;
  if (validationTo > testFrom) throw new RangeError('The test has to begin after what is learned from (--train-to).');
  if (testTo <= testFrom) throw new RangeError('The test ends before it begins.');
  const warmUpTo = first + labelDelay;
  const usable = validationTo - warmUpTo - labelDelay;
  if (usable <= 0) {
    throw new RangeError(
      'The time to learn from is too short: it has to hold more than two label delays, one to warm up and one between training and validation.',
    );
  }
  const trainTo = warmUpTo + Math.round(usable * (1 - VALIDATION_SHARE));
  return { warmUpTo, trainTo, validationFrom: trainTo + labelDelay, validationTo, testFrom, testTo };
}
