import { Anchor, SegmentedControl, SimpleGrid, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';
import { type Body, useRead } from '../calls.ts';
import { AccountLink } from '../parts/account-link.tsx';
import { Score, StatusBadge } from '../parts/badges.tsx';
import { Chart } from '../parts/chart.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Facts, Figures } from '../parts/facts.tsx';
import { useFilters, words } from '../parts/filters.tsx';
import { Money, moneyText } from '../parts/money.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Countdown, durationText, Time } from '../parts/time.tsx';
import { Why } from './decision/why.tsx';

type Dashboard = Body<'getTransactionsDashboard'>;
type Risky = Dashboard['highRisk'][number];

/** The page of a transaction: its case, where it is or was held. */
const pathOf = ({ transactionId, heldAt }: Risky): string =>
  heldAt === null ? `/console/transactions/${transactionId}` : `/console/reviews/${transactionId}`;

const COLUMNS: readonly Column<Risky>[] = [
  {
    title: 'Transaction',
    cell: (one) => (
      <Anchor component={Link} to={pathOf(one)}>
        {one.type} of <Money amount={one.amount} currency={one.currency} />
      </Anchor>
    ),
  },
  { title: 'Score', cell: ({ score }) => <Score value={score} /> },
  { title: 'Status', cell: ({ status, code }) => <StatusBadge status={status} code={code} /> },
  {
    title: 'Review',
    cell: ({ status, reviewBy }) => (status === 'quarantined' && reviewBy !== null ? <Countdown to={reviewBy} /> : '–'),
  },
  { title: 'Customer', cell: ({ userId }) => <AccountLink userId={userId} /> },
  { title: 'Asked for', cell: ({ createdAt }) => <Time at={createdAt} /> },
  { title: 'Why', cell: ({ reasons }) => <Why reasons={reasons} /> },
];

/** What the score says about transactions: the last 24 hours in numbers, and the risky ones. */
export default function Transactions() {
  const dashboard = useRead('getTransactionsDashboard', { query: { limit: 100 } });
  return (
    <Page title="Transactions">
      <Read query={dashboard}>
        {(data) => (
          <Stack gap="lg">
            <Numbers data={data} />
            <Risk data={data} />
            <Breakdown data={data} />
            <Thresholds data={data} />
          </Stack>
        )}
      </Read>
    </Page>
  );
}

function Numbers({ data: { open, last24Hours: day } }: { data: Dashboard }) {
  const settled = day.settledVolume.map(({ currency, amount }) => moneyText(amount, currency));
  return (
    <Section title="Last 24 hours">
      <Figures
        figures={[
          { label: 'Transactions', value: day.total, hint: `${day.ended.settled + day.ended.rejected} ended later` },
          { label: 'High risk', value: day.highRisk, hint: 'score above 0.6' },
          { label: 'Flagged', value: day.flagged, hint: `${day.heldAfterStepUp} held after a step-up` },
          { label: 'Escalated', value: day.escalated, hint: 'score above 0.8', alarm: day.escalated > 0 },
          {
            label: 'Waiting for review',
            value: (
              <Anchor component={Link} to="/console/reviews">
                {open.held}
              </Anchor>
            ),
            hint:
              open.nextDeadline === null ? (
                'nothing is due'
              ) : (
                <>
                  next due in <Countdown to={open.nextDeadline} />
                </>
              ),
          },
          { label: 'Settled', value: settled[0] ?? '–', hint: settled.slice(1).join(', ') || 'volume' },
        ]}
      />
    </Section>
  );
}

function Risk({ data }: { data: Dashboard }) {
  const filters = useFilters();
  const list = filters.get('list', ['flagged']) ?? 'high-risk';
  const rows = list === 'flagged' ? data.flagged : data.highRisk;
  const label = list === 'flagged' ? 'Flagged transactions' : 'High-risk transactions';
  return (
    <Section
      title="Risky transactions"
      hint="The newest hundred"
      actions={
        <SegmentedControl
          aria-label="Which"
          size="xs"
          value={list}
          onChange={(value) => filters.set('list', value === 'flagged' ? value : '')}
          data={[
            { value: 'high-risk', label: 'High risk, above 0.6' },
            { value: 'flagged', label: 'Flagged, above 0.7' },
          ]}
        />
      }
    >
      <DataTable
        label={label}
        columns={COLUMNS}
        rows={rows}
        keyOf={({ transactionId }) => transactionId}
        linkOf={pathOf}
        keys={{}}
        empty="No transaction has a score that high."
        maxHeight={420}
      />
    </Section>
  );
}

const counted = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => ({ name: words(name), count }));

function Breakdown({ data: { anomalies, last24Hours: day } }: { data: Dashboard }) {
  const rules = anomalies
    .filter(({ fired }) => fired > 0)
    .map(({ ruleId, fired }) => ({ name: words(ruleId), count: fired }));
  const failed = anomalies.filter(({ errors }) => errors > 0);
  const charts = [
    { title: 'Rules that fired', data: rules, color: 'orange.7' },
    { title: 'Decisions', data: counted(day.byDecision), color: 'brand.7' },
    { title: 'Rejections by reason', data: counted(day.rejectedByCode), color: 'red.7' },
    { title: 'Types', data: counted(day.byType), color: 'blue.7' },
  ];
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
      {charts.map(({ title, data, color }) => (
        <Section key={title} title={title} hint="Last 24 hours">
          <Chart
            kind="rows"
            label={`${title} in the last 24 hours`}
            data={data}
            by="name"
            series={[{ name: 'count', label: 'Transactions', color }]}
            height={Math.max(90, 40 + data.length * 34)}
          />
          {title === 'Rules that fired' && failed.length > 0 && (
            <Text size="sm" c="var(--mantine-color-error)">
              Failed: {failed.map(({ ruleId, errors }) => `${words(ruleId)} ${errors} times`).join(', ')}
            </Text>
          )}
        </Section>
      ))}
    </SimpleGrid>
  );
}

function Thresholds({ data: { thresholds } }: { data: Dashboard }) {
  return (
    <Section title="Thresholds" hint={`Rule set ${thresholds.ruleSetVersion}`}>
      <Facts
        facts={[
          [
            'Step-up',
            `score above ${thresholds.factorAbove}, or amount above ${moneyText(thresholds.stepUpAmountAbove)}`,
          ],
          ['High risk', `score above ${thresholds.highRiskAbove}`],
          ['Held for review', `score above ${thresholds.reviewAbove}`],
          ['Escalated', `score above ${thresholds.escalateAbove}`],
          ['Time for a review', durationText(thresholds.reviewWindowSeconds * 1000)],
        ]}
      />
    </Section>
  );
}
