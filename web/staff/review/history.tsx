import { Anchor, Badge, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';
import { StatusBadge } from '../../parts/badges.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { words } from '../../parts/filters.tsx';
import { Money } from '../../parts/money.tsx';
import { Time } from '../../parts/time.tsx';
import type { Case } from './case.ts';

type Past = Case['history'][number];
type Compared = Past & { readonly present: boolean };

/** The latest transactions of the account, with the present one in their midst and what of it is new. */
export function History({ held }: { held: Case }) {
  const present: Compared = { ...held, label: held.label, present: true };
  const rows = [present, ...held.history.map((past) => ({ ...past, present: false }))];
  const same = (one: boolean, row: Compared) => (row.present || !one ? null : <Same />);
  const columns: readonly Column<Compared>[] = [
    {
      title: 'When',
      cell: (row) =>
        row.present ? (
          <Text span inherit fw={650}>
            This one
          </Text>
        ) : (
          <Anchor component={Link} to={`/console/transactions/${row.transactionId}`}>
            <Time at={row.createdAt} />
          </Anchor>
        ),
    },
    {
      title: 'Transaction',
      cell: (row) => (
        <>
          {row.type} <Money amount={row.amount} currency={row.currency} />
        </>
      ),
    },
    { title: 'Of this one', numeric: true, cell: (row) => (row.present ? '100 %' : shareText(row, held)) },
    {
      title: 'Category',
      cell: (row) => (
        <>
          {row.category} {same(row.category === held.category, row)}
        </>
      ),
    },
    {
      title: 'Outcome',
      cell: (row) => (
        <>
          <StatusBadge status={row.status} code={row.code} />
          {row.label !== null && (
            <Text size="xs" c="dimmed">
              {words(row.label)}
            </Text>
          )}
        </>
      ),
    },
    { title: 'Score', numeric: true, cell: (row) => row.score.toFixed(2) },
    {
      title: 'Counterparty',
      cell: (row) => (
        <span className="written">
          {row.counterparty ?? '–'} {same(row.counterparty !== null && row.counterparty === held.counterparty, row)}
        </span>
      ),
    },
  ];
  return (
    <Stack gap="sm">
      <ul className="comparison">
        {comparison(held).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      <DataTable
        label="History of the account"
        columns={columns}
        rows={rows}
        keyOf={({ transactionId }) => transactionId}
        isSelected={({ present: isPresent }) => isPresent}
        maxHeight={420}
      />
    </Stack>
  );
}

function Same() {
  return (
    <Badge size="xs" variant="outline" color="gray" className="badge">
      same
    </Badge>
  );
}

/** Floating point is enough to compare by eye. */
function shareText(past: Past, held: Case): string {
  if (past.amount === null || past.currency !== held.currency || Number(held.amount) === 0) return '–';
  return `${Math.round((Number(past.amount) / Number(held.amount)) * 100)} %`;
}

/** What is new about the present transaction, in sentences. */
export function comparison(held: Case): string[] {
  const { history, type, currency, category, counterparty } = held;
  const count = history.length;
  if (count === 0) return ['The account has no other transaction: there is nothing to compare with.'];
  const among = count === 1 ? 'the one transaction before' : `the ${count} latest others`;
  const alike = history
    .filter((past) => past.type === type && past.currency === currency && past.amount !== null)
    .map(({ amount }) => Number(amount))
    .sort((a, b) => a - b);
  const middle = alike[Math.floor(alike.length / 2)];
  const largest = alike.at(-1);
  const sentences: string[] = [];
  if (middle === undefined || largest === undefined || middle === 0) {
    sentences.push(`No other ${type} in ${currency} among ${among}.`);
  } else {
    const ratio = Number(held.amount) / middle;
    const others = alike.length === 1 ? `one other ${type}` : `${alike.length} other ${type}s`;
    sentences.push(
      `${ratio >= 10 ? Math.round(ratio) : Number(ratio.toFixed(1))} times the median of ${others} in ${currency}, ` +
        `${Number(held.amount) > largest ? 'and larger than any of them' : 'and not the largest'}.`,
    );
  }
  const inCategory = history.filter((past) => past.category === category).length;
  sentences.push(
    inCategory === 0 ? `The category ${category} is new among ${among}.` : `${inCategory} of ${among} in ${category}.`,
  );
  if (counterparty !== null) {
    const paid = history.filter((past) => past.counterparty === counterparty).length;
    sentences.push(paid === 0 ? 'The counterparty is new among them.' : `${paid} of them with this counterparty.`);
  }
  return sentences;
}
