const EXACT_LIMIT = 9_007_199_254_740_992n;
const MANTISSA_BITS = 53;
/** Veltkamp's constant for doubles, 2^27 + 1. */
const SPLITTER = 134_217_729;

const float = new Float64Array(1);
const bits = new BigInt64Array(float.buffer);

/**
 * A quotient as a double that rules can hold against constants. Where it is a decimal of up to six digits it is the
 * nearest double, as the constant written in a rule is: `2.1` equals 2.1. Everywhere else it is the smallest double that is
 * not below it, so that `ratioUp(a, b) > 2.0` is true for every quotient above 2, however little: a rule that says "more
 * than twice the average" never fires at exactly twice, and never misses a cent above.
 *
 * @param numerator not negative
 * @param denominator above zero
 * @throws RangeError for other operands
 */
export function ratioUp(numerator: bigint, denominator: bigint): number {
  if (numerator < 0n || denominator <= 0n) throw new RangeError('a ratio is of a non-negative and a positive number');
  if (numerator === 0n) return 0;
  if (numerator <= EXACT_LIMIT && denominator <= EXACT_LIMIT) {
    const a = Number(numerator);
    const b = Number(denominator);
    const nearest = a / b;
    return isBelow(nearest, b, a) && !isShortDecimal(a, b) ? nextUp(nearest) : nearest;
  }
  const shift = BigInt(MANTISSA_BITS - bitLength(numerator) + bitLength(denominator));
  const [scaled, divisor] = shift >= 0n ? [numerator << shift, denominator] : [numerator, denominator << -shift];
  // 53 or 54 bits; one bit too many is rounded up once more.
  let quotient = (scaled + divisor - 1n) / divisor;
  let exponent = -Number(shift);
  if (quotient > EXACT_LIMIT) {
    quotient = (quotient + 1n) / 2n;
    exponent += 1;
  }
  return Number(quotient) * 2 ** exponent;
}

const DECIMALS = 1_000_000;

/** True when `a / b` ends within six decimals. Both are whole and at most 2^53. */
function isShortDecimal(a: number, b: number): boolean {
  const scaled = (a % b) * DECIMALS;
  return Number.isSafeInteger(scaled) ? scaled % b === 0 : (BigInt(a % b) * BigInt(DECIMALS)) % BigInt(b) === 0n;
}

/** True when `quotient * divisor`, taken exactly (Dekker 1971, Veltkamp's splitting), is below `product`. */
function isBelow(quotient: number, divisor: number, product: number): boolean {
  const rounded = quotient * divisor;
  const qc = SPLITTER * quotient;
  const qHigh = qc - (qc - quotient);
  const qLow = quotient - qHigh;
  const dc = SPLITTER * divisor;
  const dHigh = dc - (dc - divisor);
  const dLow = divisor - dHigh;
  const error = qLow * dLow - (rounded - qHigh * dHigh - qLow * dHigh - qHigh * dLow);
  return rounded - product + error < 0;
}

/** The next double above a positive one (IEEE 754: the bit patterns of positive doubles are ordered). */
function nextUp(value: number): number {
  float[0] = value;
  bits[0] = (bits[0] ?? 0n) + 1n;
  return float[0];
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}
