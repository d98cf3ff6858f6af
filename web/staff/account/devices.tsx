import { type Item, usePages } from '../../calls.ts';
import { StatusBadge } from '../../parts/badges.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Section } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Ago, Time } from '../../parts/time.tsx';

type Device = Item<'listAccountDevices'>;

const COLUMNS: readonly Column<Device>[] = [
  { title: 'Browser', cell: ({ components }) => components.browser },
  { title: 'System', cell: ({ components }) => components.os },
  { title: 'Screen', cell: ({ components }) => components.resolution },
  { title: 'Time zone', cell: ({ components }) => components.timezone },
  { title: 'Trusted', cell: ({ trusted }) => (trusted ? <StatusBadge status="trusted" /> : 'no') },
  { title: 'Sessions', numeric: true, cell: ({ openSessions }) => openSessions },
  { title: 'First seen', cell: ({ firstSeenAt }) => <Time at={firstSeenAt} /> },
  { title: 'Last login', cell: ({ lastSeenAt }) => <Ago at={lastSeenAt} /> },
];

/** What somebody has signed in from. */
export function AccountDevices({ userId }: { userId: string }) {
  const devices = usePages('listAccountDevices', { path: { user_id: userId }, query: { limit: 50 } });
  return (
    <Section title="Devices" hint="As their browsers described them">
      {devices.isError && <Problem error={devices.error} onRetry={() => void devices.refetch()} />}
      <DataTable
        label="Devices"
        columns={COLUMNS}
        rows={devices.items}
        keyOf={({ deviceId }) => deviceId}
        empty="No device is known."
        maxHeight={360}
        more={{ has: devices.hasNextPage, busy: devices.isFetching, read: devices.more }}
      />
    </Section>
  );
}
