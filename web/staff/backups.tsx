import { Stack } from '@mantine/core';
import { useChange, usePages } from '../calls.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { bytesText } from '../parts/bytes.tsx';
import { ConfirmButton } from '../parts/confirm-button.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { Figures } from '../parts/facts.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Problem } from '../parts/problem.tsx';
import { Ago, useNow } from '../parts/time.tsx';
import {
  type Backup,
  backupColumns,
  CHANGED,
  copyText,
  type Drill,
  drillColumns,
  isGood,
  RunDrill,
  Running,
  useIsOperator,
} from './backup-runs.tsx';

/** The backups of the database, and the drills that prove that they can be restored. */
export default function Backups() {
  const isOperator = useIsOperator();
  const backups = usePages('listBackups', { query: { limit: 50 } });
  const drills = usePages('listRestoreDrills', { query: { limit: 50 } });
  const start = useChange('startBackup', { changes: CHANGED });
  const backup = backups.items.find(({ status }) => status === 'running');
  const drill = drills.items.find(({ status }) => status === 'running');
  const more = (list: typeof backups | typeof drills) => ({
    has: list.hasNextPage,
    busy: list.isFetchingNextPage || list.isLoading,
    read: list.more,
  });
  return (
    <Page
      title="Backups"
      actions={
        isOperator && (
          <ConfirmButton
            label="Back up now"
            variant="filled"
            what="The whole database is dumped, encrypted, read back and copied. Everything goes on meanwhile."
            onConfirm={() => start.mutateAsync({})}
          />
        )
      }
    >
      {backups.isError && <Problem error={backups.error} onRetry={() => void backups.refetch()} />}
      {drills.isError && <Problem error={drills.error} onRetry={() => void drills.refetch()} />}
      <Summary backups={backups.items} drills={drills.items} />
      {(backup || drill) && (
        <Section title="Running now">
          <Running backup={backup} drill={drill} />
        </Section>
      )}
      <Section
        title="Backups made"
        hint="Every night at 02:00 of the zone that is configured; the newest one is always kept."
      >
        <DataTable
          label="Backups"
          columns={backupColumns(isOperator ? (one) => isGood(one) && <RunDrill backup={one} /> : undefined)}
          rows={backups.items}
          keyOf={({ backupId }) => backupId}
          linkOf={({ backupId }) => `/console/backups/${backupId}`}
          empty="No backup was made yet: the first one comes with the schedule, or now."
          more={more(backups)}
        />
      </Section>
      <Section title="Restore drills" hint="Every Sunday at 05:00 of that zone, of the newest backup.">
        <DataTable
          label="Restore drills"
          columns={drillColumns()}
          rows={drills.items}
          keyOf={({ drillId }) => drillId}
          empty="No drill has run yet. A backup that was never restored is a hope."
          more={more(drills)}
        />
      </Section>
    </Page>
  );
}

/** The nightly run and an hour of patience; then something is wrong with the schedule. */
const OVERDUE_MS = 26 * 3_600_000;
const DRILL_OVERDUE_MS = 8 * 24 * 3_600_000;

function Summary({ backups, drills }: { backups: readonly Backup[]; drills: readonly Drill[] }) {
  const now = useNow();
  const newest = backups.find(isGood);
  const proven = drills.find(({ status }) => status === 'succeeded');
  const [last] = drills;
  const isOld = (at: string | null | undefined, ms: number) => at == null || now - Date.parse(at) > ms;
  return (
    <Stack>
      <Figures
        figures={[
          {
            label: 'Newest backup',
            value: newest ? <Ago at={newest.createdAt} /> : 'none',
            ...(isOld(newest?.createdAt, OVERDUE_MS) ? { hint: 'Overdue: more than 26 hours', alarm: true } : {}),
          },
          {
            label: 'Its size',
            value: bytesText(newest?.fileBytes),
            hint: `${bytesText(newest?.dumpBytes)} uncompressed`,
          },
          {
            label: 'Its copy elsewhere',
            value: newest ? copyText(newest) : '–',
            alarm: newest !== undefined && newest.copyFailure !== null,
          },
          {
            label: 'Last good drill',
            value: proven ? <Ago at={proven.finishedAt} /> : 'none',
            ...(isOld(proven?.finishedAt, DRILL_OVERDUE_MS) ? { hint: 'Overdue: more than a week', alarm: true } : {}),
          },
          {
            label: 'Last drill',
            value: last ? <StatusBadge status={last.status} /> : 'none',
            ...(last?.reason ? { hint: last.reason.replaceAll('_', ' ') } : {}),
            alarm: last?.status === 'failed',
          },
        ]}
      />
    </Stack>
  );
}
