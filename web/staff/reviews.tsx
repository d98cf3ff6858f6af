import { Anchor } from '@mantine/core';
import { Link } from 'react-router';
import { type Item, usePages } from '../calls.ts';
import { Score } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Money } from '../parts/money.tsx';
import { Page } from '../parts/page.tsx';
import { Problem } from '../parts/problem.tsx';
import { Countdown, Time } from '../parts/time.tsx';

type Held = Item<'listReviews'>;

const pathOf = ({ transactionId }: Held): string => `/console/reviews/${transactionId}`;

const COLUMNS: readonly Column<Held>[] = [
  {
    title: 'Transaction',
    cell: (held) => (
      <Anchor component={Link} to={pathOf(held)}>
        {held.type} of <Money amount={held.amount} currency={held.currency} />
      </Anchor>
    ),
  },
  { title: 'Score', cell: ({ score }) => <Score value={score} /> },
  { title: 'Time left', cell: ({ reviewBy }) => <Countdown to={reviewBy} /> },
  { title: 'Held', cell: ({ heldAt }) => <Time at={heldAt} /> },
  { title: 'Why', cell: ({ explanation }) => explanation[0] ?? '–' },
];

/** The review queue: what waits for a person, the most urgent first. */
export default function Reviews() {
  const reviews = usePages('listReviews', { query: { status: 'held', sort: 'deadline' } });
  return (
    <Page title="Review queue">
      {reviews.isError && <Problem error={reviews.error} onRetry={() => void reviews.refetch()} />}
      <DataTable
        label="Held transactions"
        columns={COLUMNS}
        rows={reviews.items}
        keyOf={({ transactionId }) => transactionId}
        linkOf={pathOf}
        empty="Nothing waits for a review."
        more={{ has: reviews.hasNextPage, busy: reviews.isFetching, read: reviews.more }}
      />
    </Page>
  );
}
