import { Anchor, Button, Group, Progress, Stack } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { Link } from 'react-router';
import { isProblem } from '../../client/index.ts';
import { type Item, useChange, usePages } from '../calls.ts';
import { Score, StatusBadge } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { FilterSelect, optionsOf, useFilters, words } from '../parts/filters.tsx';
import { KeyHints } from '../parts/keys.tsx';
import { Money } from '../parts/money.tsx';
import { Page } from '../parts/page.tsx';
import { Person } from '../parts/people.tsx';
import { Problem, problemText } from '../parts/problem.tsx';
import { Countdown, Time } from '../parts/time.tsx';
import { useMe } from '../session/session.tsx';
import { Why } from './decision/why.tsx';

type Held = Item<'listReviews'>;

const STATUSES = ['held', 'decided'] as const;
const TYPES = ['buy', 'sell', 'deposit', 'withdrawal', 'transfer'] as const;
const SORTS = ['deadline', 'score', 'amount'] as const;
const SCORES = ['0.75', '0.80', '0.85', '0.90', '0.95'] as const;
const ASSIGNEES = ['me', 'none'] as const;

const pathOf = ({ transactionId }: Held): string => `/console/reviews/${transactionId}`;

const TRANSACTION: Column<Held> = {
  title: 'Transaction',
  cell: (held) => (
    <Anchor component={Link} to={pathOf(held)}>
      {held.type} of <Money amount={held.amount} currency={held.currency} />
    </Anchor>
  ),
};
const SCORE: Column<Held> = { title: 'Score', cell: ({ score }) => <Score value={score} /> };
const APPROVALS: Column<Held> = {
  title: 'Approvals',
  cell: ({ approvals, requiredApprovals }) => `${approvals.length} of ${requiredApprovals}`,
};
const WHY: Column<Held> = { title: 'Why', cell: ({ reasons }) => <Why reasons={reasons} /> };

const DECIDED: readonly Column<Held>[] = [
  TRANSACTION,
  SCORE,
  { title: 'Outcome', cell: ({ status, code }) => <StatusBadge status={status} code={code} /> },
  { title: 'Label', cell: ({ label }) => (label === null ? '–' : words(label)) },
  { title: 'Decided', cell: ({ finishedAt }) => <Time at={finishedAt} /> },
  APPROVALS,
  WHY,
];

/** The review queue: what waits for a person, the most urgent first; or what was decided. */
export default function Reviews() {
  const { userId, role } = useMe();
  const filters = useFilters();
  const status = filters.get('status', STATUSES) ?? 'held';
  const type = filters.get('type', TYPES);
  const minScore = filters.get('minScore', SCORES);
  const assignee = filters.get('assignee', ASSIGNEES);
  const sort = filters.get('sort', SORTS) ?? 'deadline';
  const reviews = usePages('listReviews', { query: { status, type, minScore, assignee, sort } });
  const claim = useChange('claimReview', { changes: ['listReviews', 'getReview'] });
  const mayReview = role === 'reviewer' || role === 'admin';

  async function take(held: Held): Promise<void> {
    const what = `${held.type} of ${held.amount} ${held.currency}`;
    try {
      await claim.mutateAsync({ path: { transactionId: held.transactionId } });
      notifications.show({ title: 'Yours', message: `You look after the ${what}.`, color: 'green' });
    } catch (error) {
      if (isProblem(error, 'session_required')) return;
      notifications.show({ title: `Not taken: ${what}`, message: problemText(error), color: 'red', autoClose: 10_000 });
    }
  }

  const held: readonly Column<Held>[] = [
    TRANSACTION,
    SCORE,
    {
      title: 'Time left',
      cell: ({ reviewBy, timeUsed }) => (
        <Stack gap={2} miw={96}>
          <Countdown to={reviewBy} />
          <Progress value={timeUsed * 100} size={3} color={timeUsed > 0.9 ? 'red' : 'gray'} aria-hidden />
        </Stack>
      ),
    },
    APPROVALS,
    {
      title: 'With',
      cell: (one) => {
        if (one.claim !== null) return <Person id={one.claim.reviewerId} />;
        if (!mayReview || one.userId === userId) return 'nobody';
        return (
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => void take(one)}
            aria-label={`Claim the ${one.type} of ${one.amount} ${one.currency}`}
          >
            Claim
          </Button>
        );
      },
    },
    { title: 'Held', cell: ({ heldAt }) => <Time at={heldAt} /> },
    WHY,
  ];

  return (
    <Page title="Review queue">
      <Group align="flex-end" gap="sm">
        <FilterSelect
          label="Show"
          value={status === 'held' ? '' : status}
          onChange={(value) => filters.set('status', value)}
          none="waiting"
          options={[{ value: 'decided', label: 'decided' }]}
        />
        <FilterSelect
          label="Type"
          value={type}
          onChange={(value) => filters.set('type', value)}
          none="any"
          options={optionsOf(TYPES)}
        />
        <FilterSelect
          label="Score"
          value={minScore}
          onChange={(value) => filters.set('minScore', value)}
          none="any"
          options={SCORES.map((score) => ({ value: score, label: `${score} or more` }))}
        />
        <FilterSelect
          label="Claimed by"
          value={assignee}
          onChange={(value) => filters.set('assignee', value)}
          none="anybody or nobody"
          options={[
            { value: 'me', label: 'me' },
            { value: 'none', label: 'nobody' },
          ]}
        />
        <FilterSelect
          label="Order"
          value={sort === 'deadline' ? '' : sort}
          onChange={(value) => filters.set('sort', value)}
          none={status === 'held' ? 'most urgent first' : 'latest deadline first'}
          options={[
            { value: 'score', label: 'highest score first' },
            { value: 'amount', label: 'largest amount first' },
          ]}
        />
        {filters.any && (
          <Button variant="subtle" onClick={filters.clear}>
            Clear
          </Button>
        )}
      </Group>
      {reviews.isError && <Problem error={reviews.error} onRetry={() => void reviews.refetch()} />}
      <DataTable
        label={status === 'held' ? 'Held transactions' : 'Decided transactions'}
        columns={status === 'held' ? held : DECIDED}
        rows={reviews.items}
        keyOf={({ transactionId }) => transactionId}
        linkOf={pathOf}
        keys={mayReview && status === 'held' ? { c: (row) => void take(row) } : {}}
        empty={emptyText(status, filters.any)}
        maxHeight={680}
        more={{ has: reviews.hasNextPage, busy: reviews.isFetching, read: reviews.more }}
      />
      <KeyHints
        hints={[
          [['j', '↓'], 'next'],
          [['k', '↑'], 'previous'],
          [['Enter'], 'open'],
          ...(mayReview && status === 'held' ? ([[['c'], 'claim']] as const) : []),
        ]}
      />
    </Page>
  );
}

function emptyText(status: (typeof STATUSES)[number], filtered: boolean): string {
  if (status === 'decided') return filtered ? 'Nothing decided matches these filters.' : 'Nothing was decided yet.';
  return filtered ? 'Nothing that waits matches these filters.' : 'Nothing waits for a review.';
}
