import { notifications } from '@mantine/notifications';
import { type Item, useChange, usePages } from '../../calls.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Section } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { ReasonButton } from '../../parts/reason-dialog.tsx';
import { Ago, Time } from '../../parts/time.tsx';
import { useMe } from '../../session/session.tsx';
import type { Account } from '../account.tsx';
import { ACCOUNT_READS } from './reads.ts';

type Session = Item<'listAccountSessions'>;

const COLUMNS: readonly Column<Session>[] = [
  { title: 'Opened', cell: ({ createdAt }) => <Time at={createdAt} /> },
  { title: 'Last used', cell: ({ lastSeenAt }) => <Ago at={lastSeenAt} /> },
  { title: 'Address', cell: ({ ip }) => ip ?? '–' },
  { title: 'Browser', cell: ({ userAgent }) => userAgent ?? '–' },
  {
    title: 'Kind',
    cell: ({ channel, scope }) =>
      `${channel === 'cookie' ? 'web page' : 'program'}${scope === 'full' ? '' : ', one-time password'}`,
  },
  { title: 'Second factor', cell: ({ factorAt }) => <Ago at={factorAt} /> },
  { title: 'Ends', cell: ({ expiresAt }) => <Time at={expiresAt} /> },
];

/** The open sessions of an account; an administrator ends one. */
export function AccountSessions({ account: { userId } }: { account: Account }) {
  const { role } = useMe();
  const sessions = usePages('listAccountSessions', { path: { user_id: userId }, query: { limit: 50 } });
  const columns =
    role === 'admin'
      ? [...COLUMNS, { title: 'Action', cell: (session: Session) => <EndSession userId={userId} session={session} /> }]
      : COLUMNS;
  return (
    <Section title="Open sessions">
      {sessions.isError && <Problem error={sessions.error} onRetry={() => void sessions.refetch()} />}
      <DataTable
        label="Open sessions"
        columns={columns}
        rows={sessions.items}
        keyOf={({ sessionId }) => sessionId}
        empty="Nobody is signed in."
        maxHeight={360}
        more={{ has: sessions.hasNextPage, busy: sessions.isFetching, read: sessions.more }}
      />
    </Section>
  );
}

function EndSession({ userId, session }: { userId: string; session: Session }) {
  const end = useChange('endAccountSession', { changes: ACCOUNT_READS });
  return (
    <ReasonButton
      label="End"
      size="xs"
      what="This session is signed out at once."
      onConfirm={async (reason) => {
        await end.mutateAsync({ path: { user_id: userId, session_id: session.sessionId }, body: { reason } });
        notifications.show({ message: 'The session has ended.', color: 'green' });
      }}
    />
  );
}
