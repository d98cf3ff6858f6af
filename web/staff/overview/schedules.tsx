import { Group, Text } from '@mantine/core';
import { StatusBadge } from '../../parts/badges.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Section } from '../../parts/page.tsx';
import { Ago, Countdown, durationText } from '../../parts/time.tsx';
import type { Dashboard } from '../overview.tsx';

type Schedule = Dashboard['schedules'][number];

/** What each schedule is for (workers/schedules.ts). */
const NAMES: Readonly<Record<string, string>> = {
  reconcile: 'Reconciliation of workflows',
  nonces: 'Clean-up of nonces',
  alerts: 'Alerts of incidents',
  breaker: 'Circuit breaker of rule sets',
  'audit-verification': 'Verification of the audit log',
  'audit-checkpoint': 'Checkpoint of the audit log',
  population: 'Population of features',
  'device-clean-up': 'Clean-up of devices',
  backup: 'Backup',
  'key-rotation': 'Key rotation',
  'restore-drill': 'Restore drill',
};

const COLUMNS: readonly Column<Schedule>[] = [
  { title: 'Schedule', cell: ({ schedule }) => NAMES[schedule] ?? schedule },
  {
    title: 'Last run',
    cell: ({ lastRun, late }) => (
      <Group gap={6} wrap="nowrap">
        {lastRun === null ? (
          <Text span size="sm" c="dimmed">
            not yet
          </Text>
        ) : (
          <StatusBadge status={lastRun.outcome} code={lastRun.reason} />
        )}
        {late && <StatusBadge status="late" />}
      </Group>
    ),
  },
  { title: 'Began', cell: ({ lastRun }) => (lastRun === null ? '–' : <Ago at={lastRun.startedAt} />) },
  {
    title: 'Took',
    cell: ({ lastRun }) =>
      lastRun === null || lastRun.finishedAt === null
        ? '–'
        : durationText(Date.parse(lastRun.finishedAt) - Date.parse(lastRun.startedAt)),
  },
  { title: 'Last success', cell: ({ lastSucceededAt }) => <Ago at={lastSucceededAt} /> },
  { title: 'Next in', cell: ({ nextRunAt }) => <Countdown to={nextRunAt} urgentMs={0} /> },
];

/** What runs by the clock: how it went last, and when it comes next. */
export function Schedules({ schedules }: { schedules: readonly Schedule[] }) {
  return (
    <Section title="Schedules" hint="By plan; whether somebody paused one, Temporal knows">
      <DataTable label="Schedules" columns={COLUMNS} rows={schedules} keyOf={({ schedule }) => schedule} />
    </Section>
  );
}
