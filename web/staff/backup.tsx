import { Code } from '@mantine/core';
import { useParams } from 'react-router';
import { usePages, useRead } from '../calls.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { bytesText } from '../parts/bytes.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { Facts } from '../parts/facts.tsx';
import { Id } from '../parts/id.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Time } from '../parts/time.tsx';
import { type Backup, copyText, drillColumns, isGood, RunDrill, Running, useIsOperator } from './backup-runs.tsx';

/** One backup: what is in it, what became of it, and the drills of it. */
export default function BackupPage() {
  const { id: backupId = '' } = useParams();
  const isOperator = useIsOperator();
  const backup = useRead('getBackup', { path: { backupId } });
  const drills = usePages('listRestoreDrills', { query: { limit: 100 } });
  return (
    <Page
      title="Backup"
      parent={{ path: '/console/backups', label: 'Backups' }}
      actions={isOperator && backup.data && isGood(backup.data) && <RunDrill backup={backup.data} size="sm" />}
    >
      <Read query={backup}>
        {(found) => (
          <>
            {found.status === 'running' && (
              <Section title="Running now">
                <Running backup={found} drill={undefined} />
              </Section>
            )}
            <Section title="What it is">
              <Facts facts={factsOf(found)} />
            </Section>
            <Section title="Drills of it" hint="Among the newest hundred drills.">
              <DataTable
                label="Drills of this backup"
                columns={drillColumns()}
                rows={drills.items.filter((drill) => drill.backupId === backupId)}
                keyOf={({ drillId }) => drillId}
                empty="It was not restored by a drill yet."
              />
            </Section>
          </>
        )}
      </Read>
    </Page>
  );
}

function factsOf(found: Backup): Parameters<typeof Facts>[0]['facts'] {
  return [
    ['Id', <Id key="id" id={found.backupId} what="backup id" />],
    ['Status', <StatusBadge key="status" status={found.status} code={found.reason} />],
    ['Asked for by', found.trigger],
    ['Begun', <Time key="begun" at={found.startedAt} />],
    ['Ended', <Time key="ended" at={found.finishedAt} />],
    ['Moment that it holds', <Time key="moment" at={found.createdAt} />],
    ['File', bytesText(found.fileBytes)],
    ['Dump, uncompressed', bytesText(found.dumpBytes)],
    ['SHA-256 of the file', found.fileSha256 === null ? '–' : <Code key="hash">{found.fileSha256}</Code>],
    ['Tables', found.tables?.toLocaleString() ?? '–'],
    ['Rows', found.rows?.toLocaleString() ?? '–'],
    ['Audit log up to entry', found.auditSeq?.toLocaleString() ?? '–'],
    ['PostgreSQL', found.postgresVersion ?? '–'],
    ['Copy elsewhere', copyText(found)],
    ['Deleted', <Time key="deleted" at={found.deletedAt} />],
  ];
}
