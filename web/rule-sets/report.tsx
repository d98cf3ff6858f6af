import { SimpleGrid, Stack, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Body } from '../calls.ts';
import { Chart } from '../parts/chart.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Figures } from '../parts/facts.tsx';
import { type At, curveOf, histogramOf, precisionByRecall } from './score-curve.ts';
import { percent } from './shadow.tsx';

type Result = NonNullable<Body<'getBacktest'>['result']>;
type Rule = Result['rules'][number];

const decimal = (value: number | null): string => value?.toFixed(3) ?? '–';
const asPercent = (share: number): string => `${Math.round(100 * share)} %`;

const RULES: readonly Column<Rule>[] = [
  { title: 'Rule', cell: ({ ruleId }) => ruleId },
  { title: 'Fired', numeric: true, cell: ({ fired }) => fired },
  { title: 'Share', numeric: true, cell: ({ share }) => percent(share) },
];

const THRESHOLDS: readonly Column<At>[] = [
  { title: 'Score above', numeric: true, cell: ({ above }) => above.toFixed(2) },
  { title: 'Flagged', numeric: true, cell: ({ flagged }) => flagged },
  { title: 'Frauds', numeric: true, cell: ({ frauds }) => frauds },
  { title: 'False alarms', numeric: true, cell: ({ falseAlarms }) => falseAlarms },
  { title: 'Precision', numeric: true, cell: ({ precision }) => percent(precision) },
  { title: 'Recall', numeric: true, cell: ({ recall }) => percent(recall) },
];

/** What a version would have done in a period, and how right that was against the labels. */
export function Report({ version, result }: { version: string; result: Result }) {
  const { rows, held, forecast, against, labels, quality, scores } = result;
  return (
    <Stack gap="lg">
      <Figures
        figures={[
          { label: 'Transactions', value: rows },
          { label: 'Would be held', value: held, hint: percent(forecast.share) },
          { label: 'Newly held', value: against.newlyHeld, hint: `against ${against.version}` },
          { label: 'Released', value: against.newlyReleased, hint: `against ${against.version}` },
          { label: 'Precision', value: percent(quality.precision), hint: `recall ${percent(quality.recall)}` },
          { label: 'Average precision', value: decimal(quality.averagePrecision), hint: `AUC ${decimal(quality.auc)}` },
          {
            label: 'Held an hour',
            value: forecast.perHour.p50,
            hint: `99 of 100 hours: up to ${forecast.perHour.p99}; most: ${forecast.perHour.max}`,
          },
          {
            label: 'Labels',
            value: labels.fraud + labels.clean,
            hint: `${labels.fraud} fraud, ${labels.unknown} unknown`,
          },
        ]}
      />
      {scores !== undefined && (
        <>
          <SimpleGrid cols={{ base: 1, lg: 2 }}>
            <Plot title="Precision by recall">
              <PrecisionRecall version={version} scores={scores} against={against} />
            </Plot>
            <Plot title="Scores, by label">
              <Scores scores={scores} />
            </Plot>
          </SimpleGrid>
          <Plot title="Thresholds">
            <DataTable
              label="What each threshold would flag"
              columns={THRESHOLDS}
              rows={curveOf(scores).filter(({ above }) => Math.round(above * 100) % 5 === 0)}
              keyOf={({ above }) => String(above)}
              maxHeight={360}
            />
          </Plot>
        </>
      )}
      <Plot title="Rules">
        <DataTable
          label="How often each rule gave points"
          columns={RULES}
          rows={result.rules}
          keyOf={({ ruleId }) => ruleId}
        />
      </Plot>
    </Stack>
  );
}

function Plot({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <Title order={3} size="h5" mb="xs">
        {title}
      </Title>
      {children}
    </section>
  );
}

function PrecisionRecall({
  version,
  scores,
  against,
}: {
  version: string;
  scores: NonNullable<Result['scores']>;
  against: Result['against'];
}) {
  const [own, live] = [
    precisionByRecall(scores),
    against.scores === undefined ? new Map() : precisionByRecall(against.scores),
  ];
  const recalls = [...new Set([...own.keys(), ...live.keys()])].sort((a, b) => a - b);
  return (
    <Chart
      kind="line"
      label={`Precision by recall of ${version}, and of ${against.version} which was live`}
      by="recall"
      range={[0, 1]}
      data={recalls.map((recall) => ({ recall, own: own.get(recall) ?? null, live: live.get(recall) ?? null }))}
      series={[
        { name: 'own', label: version, color: 'brand.6' },
        ...(against.version === version
          ? []
          : [{ name: 'live', label: `${against.version}, live`, color: 'orange.7' }]),
      ]}
      format={asPercent}
    />
  );
}

/** As shares of each label: frauds are rare, and would not be seen beside the clean ones. */
function Scores({ scores }: { scores: NonNullable<Result['scores']> }) {
  const [clean, fraud, unknown] = [histogramOf(scores.clean), histogramOf(scores.fraud), histogramOf(scores.unknown)];
  return (
    <Chart
      kind="bars"
      label="Scores of clean, fraudulent and unknown transactions, as shares of each"
      by="score"
      data={clean.map((share, bin) => ({
        score: (bin / 20).toFixed(2),
        clean: share,
        fraud: fraud[bin] ?? 0,
        unknown: unknown[bin] ?? 0,
      }))}
      series={[
        { name: 'clean', label: 'clean', color: 'brand.6' },
        { name: 'fraud', label: 'fraud', color: 'red.7' },
        { name: 'unknown', label: 'unknown', color: 'gray.5' },
      ]}
      format={asPercent}
    />
  );
}
