/** Rows grouped or single: `columns[j][i]` is the j-th predictor of row i. */
export interface LogisticData {
  readonly columns: readonly Float64Array[];
  readonly labels: Uint8Array;
  readonly weights: Float64Array;
  /** Log-odds that every row has already, by an earlier fit. */
  readonly offset?: Float64Array;
}

export interface LogisticFit {
  readonly intercept: number;
  readonly coefficients: readonly number[];
  /** Fitted log-odds of every row. */
  readonly logOdds: Float64Array;
  /** Weighted log-likelihood less the penalty. */
  readonly objective: number;
  /** Inverse of the penalised information, intercept first: the covariance of the estimates. */
  readonly covariance: readonly (readonly number[])[];
}

/** Half of this times the squared coefficients is taken off the log-likelihood: a standard normal prior of each. */
export const RIDGE = 1;

const MAX_ITERATIONS = 100;
const MAX_HALVINGS = 40;
/** Of the objective: what rounding leaves of it. */
const TOLERANCE = 1e-11;
const STALLED = 1e-6;

/**
 * Logistic regression with an L2 penalty on everything but the intercept (Hoerl and Kennard 1970; le Cessie and van
 * Houwelingen 1992), by Newton's method with step halving.
 *
 * @throws RangeError without frauds or without clean rows: there is no finite estimate
 * @throws Error when it does not converge
 */
export function fitLogistic(data: LogisticData, ridge = RIDGE): LogisticFit {
  const { labels, weights, columns } = data;
  let events = 0;
  let others = 0;
  for (let row = 0; row < labels.length; row += 1) {
    if (labels[row] === 1) events += weights[row] as number;
    else others += weights[row] as number;
  }
  if (events === 0 || others === 0) throw new RangeError('a logistic regression needs rows of both kinds');
  let beta = [data.offset === undefined ? Math.log(events / others) : 0, ...columns.map(() => 0)];
  let state = evaluate(data, beta, ridge);
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration += 1) {
    const { gradient, information } = derivatives(data, beta, state.logOdds, ridge);
    const covariance = invert(information);
    const step = multiply(covariance, gradient);
    const decrement = step.reduce((sum, value, index) => sum + value * (gradient[index] as number), 0);
    if (decrement < TOLERANCE * (1 + Math.abs(state.objective))) {
      return fitted(beta, covariance, state);
    }
    const next = stepUp(data, beta, step, state.objective, ridge);
    if (next === undefined) {
      // No step is visible any more in the last digits of the objective.
      if (decrement < STALLED * (1 + Math.abs(state.objective))) return fitted(beta, covariance, state);
      break;
    }
    ({ beta, state } = next);
  }
  throw new Error('the logistic regression did not converge');
}

/** The Newton step, halved until it rises; undefined where none does. */
function stepUp(
  data: LogisticData,
  beta: readonly number[],
  step: readonly number[],
  objective: number,
  ridge: number,
) {
  for (let halving = 0, scale = 1; halving < MAX_HALVINGS; halving += 1, scale /= 2) {
    const moved = beta.map((value, index) => value + scale * (step[index] as number));
    const state = evaluate(data, moved, ridge);
    if (state.objective > objective) return { beta: moved, state };
  }
  return undefined;
}

function fitted(
  [intercept = 0, ...coefficients]: readonly number[],
  covariance: readonly (readonly number[])[],
  state: Pick<LogisticFit, 'logOdds' | 'objective'>,
): LogisticFit {
  return { intercept, coefficients, covariance, ...state };
}

/** The slope of the penalised log-likelihood at `beta` (intercept first), and the curvature with the sign turned. */
export function derivatives(
  { columns, labels, weights }: LogisticData,
  beta: readonly number[],
  logOdds: Float64Array,
  ridge: number,
): { gradient: number[]; information: number[][] } {
  const width = beta.length;
  const gradient = new Array<number>(width).fill(0);
  const information = Array.from({ length: width }, () => new Array<number>(width).fill(0));
  const x = new Float64Array(width);
  x[0] = 1;
  for (let row = 0; row < labels.length; row += 1) {
    const p = probability(logOdds[row] as number);
    const weight = weights[row] as number;
    const residual = weight * ((labels[row] as number) - p);
    const curvature = weight * p * (1 - p);
    for (let j = 1; j < width; j += 1) x[j] = columns[j - 1]?.[row] as number;
    for (let j = 0; j < width; j += 1) {
      const xj = x[j] as number;
      gradient[j] = (gradient[j] as number) + residual * xj;
      const line = information[j] as number[];
      for (let k = 0; k <= j; k += 1) line[k] = (line[k] as number) + curvature * xj * (x[k] as number);
    }
  }
  for (let j = 0; j < width; j += 1) {
    if (j > 0) {
      gradient[j] = (gradient[j] as number) - ridge * (beta[j] as number);
      (information[j] as number[])[j] = (information[j]?.[j] as number) + ridge;
    }
    for (let k = 0; k < j; k += 1) (information[k] as number[])[j] = information[j]?.[k] as number;
  }
  return { gradient, information };
}

export function probability(logOdds: number): number {
  return 1 / (1 + Math.exp(-logOdds));
}

/** Weighted log-likelihood of the labels, given everybody's log-odds. */
export function logLikelihoodOf({ labels, weights }: Pick<LogisticData, 'labels' | 'weights'>, logOdds: Float64Array) {
  let sum = 0;
  for (let row = 0; row < labels.length; row += 1) {
    const x = logOdds[row] as number;
    // ln(1 + e^x), without overflow.
    const softplus = Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    sum += (weights[row] as number) * ((labels[row] as number) * x - softplus);
  }
  return sum;
}

function evaluate(data: LogisticData, beta: readonly number[], ridge: number) {
  const { columns, labels, offset } = data;
  const logOdds = new Float64Array(labels.length);
  for (let row = 0; row < labels.length; row += 1) {
    let x = (beta[0] as number) + (offset === undefined ? 0 : (offset[row] as number));
    for (let j = 1; j < beta.length; j += 1) x += (beta[j] as number) * (columns[j - 1]?.[row] as number);
    logOdds[row] = x;
  }
  const penalty = beta.slice(1).reduce((sum, value) => sum + value * value, 0) * (ridge / 2);
  return { logOdds, objective: logLikelihoodOf(data, logOdds) - penalty };
}

/** Inverse of a positive definite matrix, by Cholesky's decomposition. @throws Error for another matrix */
export function invert(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length;
  const lower = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  const at = (grid: readonly (readonly number[])[], i: number, j: number) => grid[i]?.[j] as number;
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = at(matrix, i, j);
      for (let k = 0; k < j; k += 1) sum -= at(lower, i, k) * at(lower, j, k);
      if (i === j && !(sum > 0)) throw new Error('the matrix is not positive definite');
      (lower[i] as number[])[j] = i === j ? Math.sqrt(sum) : sum / at(lower, j, j);
    }
  }
  const inverse = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  for (let column = 0; column < size; column += 1) {
    const y = new Array<number>(size).fill(0);
    for (let i = 0; i < size; i += 1) {
      let sum = i === column ? 1 : 0;
      for (let k = 0; k < i; k += 1) sum -= at(lower, i, k) * (y[k] as number);
      y[i] = sum / at(lower, i, i);
    }
    for (let i = size - 1; i >= 0; i -= 1) {
      let sum = y[i] as number;
      for (let k = i + 1; k < size; k += 1) sum -= at(lower, k, i) * at(inverse, k, column);
      (inverse[i] as number[])[column] = sum / at(lower, i, i);
    }
  }
  return inverse;
}

function multiply(matrix: readonly (readonly number[])[], vector: readonly number[]): number[] {
  return matrix.map((line) => line.reduce((sum, value, index) => sum + value * (vector[index] as number), 0));
}
