import { Anchor, Button } from '@mantine/core';
import { Link } from 'react-router';
import { type Item, usePages } from '../calls.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Money } from '../parts/money.tsx';
import { Page } from '../parts/page.tsx';
import { Problem } from '../parts/problem.tsx';
import { Countdown, Time } from '../parts/time.tsx';
import { isOpen, REFRESH_MS, whatText } from './transaction-words.ts';

type One = Item<'listTransactions'>;

const pathOf = ({ transactionId }: One): string => `/account/transactions/${transactionId}`;

const COLUMNS: readonly Column<One>[] = [
  {
    title: 'Transaction',
    cell: (one) => (
      <Anchor component={Link} to={pathOf(one)}>
        {whatText(one)}
      </Anchor>
    ),
  },
  { title: 'Amount', numeric: true, cell: ({ amount, currency }) => <Money amount={amount} currency={currency} /> },
  { title: 'Status', cell: ({ status, code }) => <StatusBadge status={status} code={code} /> },
  {
    title: 'Time left',
    cell: ({ expiresAt, reviewBy, payBy, ...one }) => {
      const deadline = expiresAt ?? reviewBy ?? payBy;
      return isOpen(one) && deadline !== undefined ? <Countdown to={deadline} /> : '–';
    },
  },
  { title: 'Asked for', cell: ({ createdAt }) => <Time at={createdAt} /> },
];

/** The transactions of the own account, newest first. */
export default function Transactions() {
  const list = usePages(
    'listTransactions',
    { query: { limit: 50 } },
    { refreshMs: (items) => items.some(isOpen) && 2 * REFRESH_MS },
  );
  return (
    <Page
      title="Transactions"
      actions={
        <Button component={Link} to="/account/trade">
          New transaction
        </Button>
      }
    >
      {list.isError && <Problem error={list.error} onRetry={() => void list.refetch()} />}
      <DataTable
        label="Transactions"
        columns={COLUMNS}
        rows={list.items}
        keyOf={({ transactionId }) => transactionId}
        linkOf={pathOf}
        empty="There are none yet. A deposit is a good first one."
        more={{ has: list.hasNextPage, busy: list.isFetchingNextPage || list.isLoading, read: list.more }}
      />
    </Page>
  );
}
