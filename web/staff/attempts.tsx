import { Anchor, Text } from '@mantine/core';
import { Link, useSearchParams } from 'react-router';
import type { Body } from '../calls.ts';
import { LoginSubject } from '../parts/account-link.tsx';
import { Score, StatusBadge } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Time } from '../parts/time.tsx';
import { AttemptDrawer } from './attempt-drawer.tsx';
import { placeText } from './place-text.ts';

/** One login, as every list of logins has it. */
export type Attempt = Body<'getAuthDashboard'>['recentAttempts'][number];

interface AttemptsProps {
  /** Names the table. */
  readonly label: string;
  readonly attempts: readonly Attempt[];
  readonly empty: string;
  /** False on the page of one account, where it is always the same. */
  readonly withAccount?: boolean;
  readonly more?: { readonly has: boolean; readonly busy: boolean; readonly read: () => void };
}

/** Logins with their scores, and beside them the one that is looked at (`?attempt=`) with every reason. */
export function Attempts({ label, attempts, empty, withAccount = true, more }: AttemptsProps) {
  const [params, setParams] = useSearchParams();
  const openId = params.get('attempt');
  const linkOf = (id: string | null): string => {
    const next = new URLSearchParams(params);
    if (id === null) next.delete('attempt');
    else next.set('attempt', id);
    return `?${next}`;
  };
  const columns: readonly Column<Attempt>[] = [
    {
      title: 'Outcome',
      cell: ({ loginId, status }) => (
        <Anchor component={Link} to={linkOf(loginId)} replace underline="never">
          <StatusBadge status={status} />
        </Anchor>
      ),
    },
    { title: 'Time', cell: ({ startedAt }) => <Time at={startedAt} /> },
    ...(withAccount ? [{ title: 'Account', cell: (one: Attempt) => <LoginSubject {...one} /> }] : []),
    { title: 'Score', cell: ({ score }) => <Score value={score} /> },
    { title: 'Why', cell: why },
    { title: 'Place', cell: ({ place }) => <span className="one-line">{placeText(place)}</span> },
    { title: 'Address', cell: ({ ip }) => ip ?? '–' },
  ];
  return (
    <>
      <DataTable
        label={label}
        columns={columns}
        rows={attempts}
        keyOf={({ loginId }) => loginId}
        linkOf={({ loginId }) => linkOf(loginId)}
        isSelected={({ loginId }) => loginId === openId}
        empty={empty}
        {...(more ? { more } : {})}
      />
      <AttemptDrawer
        loginId={openId}
        attempt={attempts.find(({ loginId }) => loginId === openId)}
        onClose={() => setParams(new URLSearchParams(linkOf(null)), { replace: true })}
      />
    </>
  );
}

/** The rule that weighs most; the others are a click away. */
function why({ reasons, score }: Attempt) {
  const [first, ...others] = (reasons as unknown as readonly { title: string; points: number }[])
    .filter(({ points }) => points > 0)
    .toSorted((a, b) => b.points - a.points);
  if (first === undefined) {
    return score === null ? (
      '–'
    ) : (
      <Text span inherit c="dimmed">
        nothing unusual
      </Text>
    );
  }
  return (
    <>
      {first.title}
      {others.length > 0 && (
        <Text span inherit c="dimmed">
          {' '}
          and {others.length} more
        </Text>
      )}
    </>
  );
}
