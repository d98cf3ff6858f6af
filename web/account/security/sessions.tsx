import { Badge } from '@mantine/core';
import { client } from '../../api.ts';
import { type Item, useChange, usePages } from '../../calls.ts';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Section } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Ago, Time } from '../../parts/time.tsx';
import { useSession } from '../../session/session.tsx';

type One = Item<'listSessions'>;
const CHANGED = ['listSessions'] as const;

/** Where this account is signed in. */
export function Sessions() {
  const { ended } = useSession();
  const list = usePages('listSessions', { query: { limit: 50 } });
  const end = useChange('revokeSession', { changes: CHANGED });
  const endOthers = useChange('revokeOtherSessions', { changes: CHANGED });
  const columns: readonly Column<One>[] = [
    {
      title: 'Where',
      cell: ({ current, userAgent, channel }) => (
        <>
          {userAgent === null || userAgent === ''
            ? channel === 'bearer'
              ? 'A program'
              : 'A browser'
            : agentText(userAgent)}{' '}
          {current && (
            <Badge variant="light" className="badge">
              this one
            </Badge>
          )}
        </>
      ),
    },
    { title: 'Address', cell: ({ ip }) => ip ?? '–' },
    { title: 'Signed in', cell: ({ createdAt }) => <Time at={createdAt} /> },
    { title: 'Last used', cell: ({ lastSeenAt }) => <Ago at={lastSeenAt} /> },
    { title: 'Ends', cell: ({ expiresAt }) => <Time at={expiresAt} /> },
    {
      title: 'Action',
      cell: ({ sessionId, current, createdAt }) => (
        <ConfirmButton
          label="End"
          name={current ? 'End this session' : `End the session of ${new Date(createdAt).toLocaleString()}`}
          size="xs"
          color="red"
          what={current ? 'You are signed out here.' : 'Whoever is signed in there is signed out at once.'}
          onConfirm={async () => {
            const path = { id: sessionId };
            if (!current) return end.mutateAsync({ path });
            // Nothing is read again: there is no session to read with.
            await client.revokeSession({ path });
            return ended('You ended this session.');
          }}
        />
      ),
    },
  ];
  return (
    <Section
      title="Sessions"
      hint="End what you do not know, and change your password then."
      actions={
        list.items.length > 1 && (
          <ConfirmButton
            label="End all others"
            name="End all others of my sessions"
            color="red"
            what="Everybody but you, here, is signed out at once."
            onConfirm={() => endOthers.mutateAsync({})}
          />
        )
      }
    >
      {list.isError && <Problem error={list.error} onRetry={() => void list.refetch()} />}
      <DataTable
        label="Sessions"
        columns={columns}
        rows={list.items}
        keyOf={({ sessionId }) => sessionId}
        more={{ has: list.hasNextPage, busy: list.isFetchingNextPage || list.isLoading, read: list.more }}
      />
    </Section>
  );
}

/** Browser and system of a user agent, as far as its usual words tell; what is unknown is shown as it was sent. */
export function agentText(userAgent: string): string {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\//.exec(userAgent)?.[1];
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(userAgent)?.[1];
  if (browser === undefined) return userAgent.slice(0, 60);
  const name = { Edg: 'Edge', OPR: 'Opera' }[browser] ?? browser;
  return system === undefined ? name : `${name} on ${system}`;
}
