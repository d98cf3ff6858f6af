import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRateCounts } from '../../domain/risk/rate-counts.ts';
import { averagePrecision, emptyCounts, qualityAbove, rocArea } from '../../domain/risk/score-quality.ts';

interface Scored {
  readonly score: number;
  readonly fraud: boolean;
}

function countsOf(scored: readonly Scored[]) {
  const counts = emptyCounts();
  for (const { score, fraud } of scored) {
    const side = fraud ? counts.fraud : counts.clean;
    side[score] = (side[score] ?? 0) + 1;
  }
  return counts;
}

/** Area under the steps of recall: one threshold after the other, counting anew each time. */
function naiveAveragePrecision(scored: readonly Scored[]): number | null {
  const frauds = scored.filter(({ fraud }) => fraud).length;
  if (frauds === 0) return null;
  let area = 0;
  let recallBefore = 0;
  for (const threshold of [...new Set(scored.map(({ score }) => score))].toSorted((a, b) => b - a)) {
    const flagged = scored.filter(({ score }) => score >= threshold);
    const right = flagged.filter(({ fraud }) => fraud).length;
    area += (right / frauds - recallBefore) * (right / flagged.length);
    recallBefore = right / frauds;
  }
  return area;
}

/** Every pair of a fraud and a clean one: won, or half won. */
function naiveRocArea(scored: readonly Scored[]): number | null {
  const frauds = scored.filter(({ fraud }) => fraud);
  const cleans = scored.filter(({ fraud }) => !fraud);
  if (frauds.length * cleans.length === 0) return null;
  let won = 0;
  for (const one of frauds)
    for (const other of cleans) won += one.score > other.score ? 1 : one.score === other.score ? 0.5 : 0;
  return won / (frauds.length * cleans.length);
}

const sample = fc.array(
  fc.record({ score: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom(0, 30, 100)), fraud: fc.boolean() }),
  { maxLength: 60 },
);

function expectClose(found: number | null, wanted: number | null): void {
  if (wanted === null) expect(found).toBeNull();
  else expect(found).toBeCloseTo(wanted, 12);
}

describe('quality from counts by score', () => {
  // Highest first: fraud 90, clean 80, fraud 70, fraud and clean 70 (a tie), clean 10.
  const byHand = countsOf([
    { score: 90, fraud: true },
    { score: 80, fraud: false },
    { score: 70, fraud: true },
    { score: 70, fraud: true },
    { score: 70, fraud: false },
    { score: 10, fraud: false },
  ]);

  it('averages precision over the steps of recall, a tie being one step', () => {
    // 1/3 of the recall at precision 1, 2/3 at 3/5.
    expect(averagePrecision(byHand)).toBeCloseTo(1 / 3 + (2 / 3) * (3 / 5), 12);
  });

  it('counts half of a tie in the area under the ROC curve', () => {
    // The fraud of 90 wins 3 pairs; each of 70 loses one, ties one, wins one.
    expect(rocArea(byHand)).toBeCloseTo((3 + 1.5 + 1.5) / 9, 12);
  });

  it('flags what is strictly above', () => {
    expect(qualityAbove(byHand, 70)).toEqual({
      above: 70,
      flagged: 2,
      truePositives: 1,
      falsePositives: 1,
      falseNegatives: 2,
      precision: 1 / 2,
      recall: 1 / 3,
      f1: 2 / 5,
      falsePositiveRate: 1 / 3,
    });
    expect(qualityAbove(byHand, 69)).toMatchObject({ flagged: 5, precision: 3 / 5, recall: 1 });
    expect(qualityAbove(byHand, 100)).toMatchObject({ flagged: 0, precision: null, recall: 0, f1: 0 });
  });

  it('says nothing where there is nothing to say', () => {
    const nothing = emptyCounts();
    expect([averagePrecision(nothing), rocArea(nothing), qualityAbove(nothing, 50).recall]).toEqual([null, null, null]);
    expect(rocArea(countsOf([{ score: 50, fraud: true }]))).toBeNull();
  });

  it('equals the definition over the single scores', () => {
    fc.assert(
      fc.property(sample, (scored) => {
        expectClose(averagePrecision(countsOf(scored)), naiveAveragePrecision(scored));
        expectClose(rocArea(countsOf(scored)), naiveRocArea(scored));
      }),
    );
  });
});

describe('counts by slot of time', () => {
  it('takes quantiles by nearest rank, empty slots included', () => {
    const counts = createRateCounts();
    for (const slot of [3, 3, 3, 5, 9, 9]) counts.add(slot);
    expect(counts.summary(0, 9)).toEqual({ slots: 10, total: 6, mean: 0.6, p50: 0, p95: 3, p99: 3, max: 3 });
    expect(counts.summary(3, 5)).toMatchObject({ slots: 3, p50: 2 });
    expect(createRateCounts().summary(5, 4)).toEqual({ slots: 0, total: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 });
  });

  it('equals the sorted counts of every slot', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 })), (slots) => {
        const counts = createRateCounts();
        for (const slot of slots) counts.add(slot);
        const all = Array.from({ length: 31 }, (_, slot) => slots.filter((one) => one === slot).length);
        const ascending = all.toSorted((a, b) => a - b);
        const at = (share: number) => ascending[Math.ceil(share * 31) - 1];
        expect(counts.summary(0, 30)).toMatchObject({ p50: at(0.5), p95: at(0.95), p99: at(0.99), max: ascending[30] });
      }),
    );
  });
});
