import { Anchor, Group, Progress, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';
import { type Item, useChange } from '../calls.ts';
import { useLive } from '../live/live.tsx';
import { StatusBadge } from '../parts/badges.tsx';
import { bytesText } from '../parts/bytes.tsx';
import { ConfirmButton } from '../parts/confirm-button.tsx';
import type { Column } from '../parts/data-table.tsx';
import { durationText, Moment, Time, useNow } from '../parts/time.tsx';
import { useMe } from '../session/session.tsx';

export type Backup = Item<'listBackups'>;
export type Drill = Item<'listRestoreDrills'>;

export const CHANGED = ['listBackups', 'getBackup', 'listRestoreDrills'] as const;

const PHASES = {
  dump: 'Dumping, compressing and encrypting',
  validate: 'Reading it back',
  copy: 'Copying it',
  restore: 'Restoring it',
  count: 'Counting rows',
  audit: 'Verifying the audit log',
} as const;

/** There is a file of it, which can be restored. */
export const isGood = ({ status, deletedAt }: Backup): boolean => status === 'succeeded' && deletedAt === null;

/** Whether this person starts and stops runs, which ask for a fresh factor; auditors look on. */
export const useIsOperator = (): boolean => useMe().role === 'admin';

function Took({ startedAt, finishedAt }: { startedAt: string; finishedAt: string | null }) {
  const now = useNow();
  const end = finishedAt === null ? now : Date.parse(finishedAt);
  return <span className="number">{durationText(end - Date.parse(startedAt))}</span>;
}

function Status({ status, reason, phase }: Pick<Backup, 'status' | 'reason'> & { phase: keyof typeof PHASES }) {
  return (
    <>
      <StatusBadge status={status} code={reason} />
      {status === 'running' && <Text size="xs">{PHASES[phase]}</Text>}
    </>
  );
}

const RUN = [
  { title: 'Asked for by', cell: ({ trigger }: Backup | Drill) => trigger },
  { title: 'Took', numeric: true, cell: (run: Backup | Drill) => <Took {...run} /> },
] as const;

/** Columns of a table of backups; `action` is what one may do with each. */
export const backupColumns = (action?: (backup: Backup) => React.ReactNode): readonly Column<Backup>[] => [
  {
    title: 'Begun',
    cell: ({ backupId, startedAt }) => (
      <Anchor component={Link} to={`/console/backups/${backupId}`}>
        <Moment at={startedAt} />
      </Anchor>
    ),
  },
  { title: 'Status', cell: (backup) => <Status {...backup} /> },
  ...RUN,
  { title: 'File', numeric: true, cell: ({ fileBytes, bytesDone }) => bytesText(fileBytes ?? bytesDone) },
  { title: 'Rows', numeric: true, cell: ({ rows }) => rows?.toLocaleString() ?? '–' },
  { title: 'Copy', cell: (backup) => copyText(backup) },
  ...(action ? [{ title: 'Action', cell: action }] : []),
];

/** Whether it lies anywhere else than in the folder of backups. */
export function copyText({ copiedAt, copyFailure, deletedAt }: Backup): string {
  if (deletedAt !== null) return 'deleted';
  if (copyFailure !== null) return `failed: ${copyFailure.replaceAll('_', ' ')}`;
  return copiedAt === null ? 'none' : 'copied';
}

/** Columns of a table of restore drills. */
export const drillColumns = (action?: (drill: Drill) => React.ReactNode): readonly Column<Drill>[] => [
  { title: 'Begun', cell: ({ startedAt }) => <Time at={startedAt} /> },
  { title: 'Status', cell: (drill) => <Status {...drill} /> },
  ...RUN,
  {
    title: 'Backup',
    cell: ({ backupId }) =>
      backupId === null ? (
        '–'
      ) : (
        <Anchor component={Link} to={`/console/backups/${backupId}`}>
          {backupId.slice(-8)}
        </Anchor>
      ),
  },
  { title: 'Tables', numeric: true, cell: ({ tablesChecked }) => tablesChecked?.toLocaleString() ?? '–' },
  { title: 'Rows', numeric: true, cell: ({ rowsChecked }) => rowsChecked?.toLocaleString() ?? '–' },
  {
    title: 'Audit entries',
    numeric: true,
    cell: ({ auditEntriesChecked }) => auditEntriesChecked?.toLocaleString() ?? '–',
  },
  ...(action ? [{ title: 'Action', cell: action }] : []),
];

/** What runs now, how far it is, and a button that stops it. */
export function Running({ backup, drill }: { backup: Backup | undefined; drill: Drill | undefined }) {
  return (
    <Stack gap="md">
      {backup && (
        <RunningRun
          runId={backup.backupId}
          what="A backup is being made"
          doing={`${PHASES[backup.phase]}: ${bytesText(backup.bytesDone)}`}
          startedAt={backup.startedAt}
          cancel={<CancelBackup backupId={backup.backupId} />}
        />
      )}
      {drill && (
        <RunningRun
          runId={drill.drillId}
          what="A restore drill runs"
          doing={`${PHASES[drill.phase]}: ${drill.phase === 'audit' ? `${drill.done.toLocaleString()} entries` : bytesText(drill.done)}`}
          startedAt={drill.startedAt}
          cancel={<CancelDrill drillId={drill.drillId} />}
        />
      )}
    </Stack>
  );
}

interface RunningRunProps {
  readonly runId: string;
  readonly what: string;
  readonly doing: string;
  readonly startedAt: string;
  readonly cancel: React.ReactNode;
}

/** How much of a step is done, in percent, where its newest event says how much there is; a bar without it says that it goes on. */
function useShare(runId: string): number | undefined {
  const newest = useLive().news.find(({ event, data }) => event === 'run' && data.runId === runId);
  const { done, total } = newest?.data ?? {};
  return typeof done === 'number' && typeof total === 'number' && total > 0 ? (100 * done) / total : undefined;
}

function RunningRun({ runId, what, doing, startedAt, cancel }: RunningRunProps) {
  const isOperator = useIsOperator();
  const share = useShare(runId);
  return (
    <div>
      <Group justify="space-between" gap="xs" mb={4}>
        <Text size="sm" role="status">
          <strong>{what}.</strong> {doing}, <Took startedAt={startedAt} finishedAt={null} />
        </Text>
        {isOperator && cancel}
      </Group>
      <Progress value={share ?? 100} animated size="sm" aria-hidden />
    </div>
  );
}

export function CancelBackup({ backupId }: { backupId: string }) {
  const cancel = useChange('cancelBackup', { changes: CHANGED });
  return (
    <ConfirmButton
      label="Stop"
      name="Stop the backup"
      size="xs"
      color="red"
      what="Nothing of it stays. The next one runs by the schedule."
      onConfirm={() => cancel.mutateAsync({ path: { backupId } })}
    />
  );
}

function CancelDrill({ drillId }: { drillId: string }) {
  const cancel = useChange('cancelRestoreDrill', { changes: CHANGED });
  return (
    <ConfirmButton
      label="Stop"
      name="Stop the restore drill"
      size="xs"
      color="red"
      what="Its database is dropped; the backup is not touched."
      onConfirm={() => cancel.mutateAsync({ path: { drillId } })}
    />
  );
}

/** Restores a backup into a database of its own, checks it, and drops that database. */
export function RunDrill({ backup, size = 'xs' }: { backup: Backup; size?: string }) {
  const drill = useChange('startRestoreDrill', { changes: CHANGED });
  return (
    <ConfirmButton
      label="Drill"
      name={`Drill the backup of ${new Date(backup.startedAt).toLocaleString()}`}
      size={size}
      what="It is restored into a database of its own, counted, its audit log verified, and that database dropped. The live database is not touched."
      onConfirm={() => drill.mutateAsync({ path: { backupId: backup.backupId } })}
    />
  );
}
