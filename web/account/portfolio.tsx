import { Anchor, Button, Progress, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';
import { type Body, useRead } from '../calls.ts';
import { CopyText } from '../parts/copy-text.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Facts } from '../parts/facts.tsx';
import { Money, quantityText } from '../parts/money.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { GROUPS, WINDOWS } from './transaction-words.ts';

type Holdings = Body<'getPortfolio'>;
type Cash = Holdings['cash'][number];
type Position = Holdings['positions'][number];
type Limit = Body<'getLimits'>['limits'][number];

const CASH: readonly Column<Cash>[] = [
  { title: 'Currency', cell: ({ currency }) => currency },
  { title: 'Balance', numeric: true, cell: ({ balance }) => <Money amount={balance} /> },
  { title: 'Set aside', numeric: true, cell: ({ reserved }) => <Money amount={reserved} /> },
  { title: 'Free', numeric: true, cell: ({ available }) => <Money amount={available} /> },
];

const POSITIONS: readonly Column<Position>[] = [
  { title: 'Instrument', cell: ({ instrument }) => instrument },
  { title: 'Quantity', numeric: true, cell: ({ quantity }) => quantityText(quantity) },
  { title: 'Set aside', numeric: true, cell: ({ reserved }) => quantityText(reserved) },
  { title: 'Price', numeric: true, cell: ({ price, currency }) => <Money amount={price} currency={currency ?? ''} /> },
  { title: 'Value', numeric: true, cell: ({ value, currency }) => <Money amount={value} currency={currency ?? ''} /> },
  {
    title: 'Trade',
    cell: ({ instrument }) => (
      <>
        <Anchor
          component={Link}
          to={`/account/trade?type=buy&instrument=${instrument}`}
          aria-label={`Buy ${instrument}`}
        >
          Buy
        </Anchor>
        {' · '}
        <Anchor
          component={Link}
          to={`/account/trade?type=sell&instrument=${instrument}`}
          aria-label={`Sell ${instrument}`}
        >
          Sell
        </Anchor>
      </>
    ),
  },
];

/** What the own account holds, where money reaches it, and how much it may move. */
export default function Portfolio() {
  const portfolio = useRead('getPortfolio', {});
  return (
    <Page
      title="Portfolio"
      actions={
        <Button component={Link} to="/account/trade">
          New transaction
        </Button>
      }
    >
      <Read query={portfolio}>{(held) => <Held held={held} />}</Read>
      <Limits />
    </Page>
  );
}

function Held({ held: { accountId, depositIdentifiers, cash, positions } }: { held: Holdings }) {
  return (
    <Stack gap="lg">
      <Section title="Cash" hint="What is set aside belongs to open transactions.">
        <DataTable
          label="Cash"
          columns={CASH}
          rows={cash}
          keyOf={({ currency }) => currency}
          empty="No cash yet. Make a deposit, or have somebody transfer to the account below."
        />
      </Section>
      <Section title="Positions">
        <DataTable
          label="Positions"
          columns={POSITIONS}
          rows={positions}
          keyOf={({ instrument }) => instrument}
          empty="Nothing is held yet."
        />
      </Section>
      <Section title="This account" hint="Give the account id to who wants to transfer money to you.">
        <Facts
          facts={[
            [
              'Account id',
              <span key="account" className="number">
                {accountId} <CopyText text={accountId} what="account id" />
              </span>,
            ],
            ...depositIdentifiers.map(
              ({ currency, reference }) =>
                [
                  `Reference of bank transfers in ${currency}`,
                  <span key={currency} className="number">
                    {reference} <CopyText text={reference} what="reference" name={`reference for ${currency}`} />
                  </span>,
                ] as const,
            ),
          ]}
        />
      </Section>
    </Stack>
  );
}

const LIMITS: (currency: string) => readonly Column<Limit>[] = (currency) => [
  { title: 'Of', cell: ({ group }) => GROUPS[group] },
  { title: 'How much', cell: ({ window }) => WINDOWS[window] },
  {
    title: 'Limit',
    numeric: true,
    cell: ({ limit }) => (limit === null ? 'none' : <Money amount={limit} currency={currency} />),
  },
  {
    title: 'Used',
    cell: ({ used, limit }) =>
      used === null ? (
        '–'
      ) : (
        <>
          <Money amount={used} currency={currency} />
          {limit !== null && <Progress value={(100 * Number(used)) / Number(limit)} size="sm" aria-hidden />}
        </>
      ),
  },
  {
    title: 'Left',
    numeric: true,
    cell: ({ left }) => (left === null ? '–' : <Money amount={left} currency={currency} />),
  },
];

function Limits() {
  const limits = useRead('getLimits', {});
  return (
    <Section title="Limits" hint="In the base currency; other currencies count at their exchange rate.">
      <Read query={limits}>
        {({ tier, currency, limits: rows }) => (
          <Stack gap="xs">
            <Text size="sm">
              Tier: <strong>{tier}</strong>
            </Text>
            <DataTable
              label="Limits"
              columns={LIMITS(currency)}
              rows={rows}
              keyOf={({ group, window }) => `${group} ${window}`}
            />
          </Stack>
        )}
      </Read>
    </Section>
  );
}
