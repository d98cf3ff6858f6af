import { Badge, Button, Group } from '@mantine/core';
import { client } from '../../api.ts';
import { type Item, useChange, usePages } from '../../calls.ts';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Section } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Refused } from '../../parts/refused.tsx';
import { Time } from '../../parts/time.tsx';
import { useSession } from '../../session/session.tsx';

type Device = Item<'listDevices'>;
const CHANGED = ['listDevices', 'listSessions'] as const;

/** How the names of systems are written that are kept in small letters. */
const SYSTEMS: Readonly<Record<string, string>> = { ios: 'iOS', macos: 'macOS', chromeos: 'ChromeOS' };
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const nameOf = ({ components: { browser, os } }: Device): string =>
  `${capital(browser)} on ${SYSTEMS[os] ?? capital(os)}`;

/** The devices that somebody signed in from. */
export function Devices() {
  const { ended } = useSession();
  const list = usePages('listDevices', { query: { limit: 50 } });
  const trust = useChange('trustDevice', { changes: CHANGED });
  const revoke = useChange('revokeDevice', { changes: CHANGED });
  const columns: readonly Column<Device>[] = [
    {
      title: 'Device',
      cell: (device) => (
        <>
          {nameOf(device)}{' '}
          {device.current && (
            <Badge variant="light" className="badge">
              this one
            </Badge>
          )}
        </>
      ),
    },
    { title: 'Time zone', cell: ({ components }) => components.timezone },
    { title: 'First seen', cell: ({ firstSeenAt }) => <Time at={firstSeenAt} day /> },
    { title: 'Last sign-in', cell: ({ lastSeenAt }) => <Time at={lastSeenAt} /> },
    { title: 'Trusted', cell: ({ trusted, trustedAt }) => (trusted ? <Time at={trustedAt} day /> : 'no') },
    {
      title: 'Action',
      cell: (device) => {
        const path = { id: device.deviceId };
        return (
          <Group gap="xs" wrap="nowrap">
            {!device.trusted && (
              <Button
                size="xs"
                variant="default"
                aria-label={`Trust ${nameOf(device)}`}
                loading={trust.isPending && trust.variables?.path.id === device.deviceId}
                onClick={() => trust.mutate({ path })}
              >
                Trust
              </Button>
            )}
            <ConfirmButton
              label="Remove"
              name={`Remove ${nameOf(device)}`}
              size="xs"
              color="red"
              what={
                device.current
                  ? 'This device is forgotten, and you are signed out here. The next sign-in asks for a second factor.'
                  : 'It is forgotten, and its sessions end at once. The next sign-in from it asks for a second factor.'
              }
              onConfirm={async () => {
                if (!device.current) return revoke.mutateAsync({ path });
                // Nothing is read again: there is no session to read with.
                await client.revokeDevice({ path });
                return ended('This device was removed, and its session with it.');
              }}
            />
          </Group>
        );
      },
    },
  ];
  return (
    <Section title="Devices" hint="A trusted device that you sign in from again is asked for less.">
      {list.isError && <Problem error={list.error} onRetry={() => void list.refetch()} />}
      <Refused error={trust.error} />
      <DataTable
        label="Devices"
        columns={columns}
        rows={list.items}
        keyOf={({ deviceId }) => deviceId}
        empty="No device is known yet."
        more={{ has: list.hasNextPage, busy: list.isFetchingNextPage || list.isLoading, read: list.more }}
      />
    </Section>
  );
}
