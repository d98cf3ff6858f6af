import { Group, SegmentedControl, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { useMediaQuery } from '@mantine/hooks';
import type { UseQueryResult } from '@tanstack/react-query';
import { Fragment } from 'react';
import { type Body, type Item, useRead } from '../calls.ts';
import { Money, moneyText, quantityText } from '../parts/money.tsx';
import { Problem } from '../parts/problem.tsx';
import { Time } from '../parts/time.tsx';
import { estimate, isTrade, TYPES, type Type, type Values } from './trade-values.ts';
import { GROUPS, WINDOWS } from './transaction-words.ts';

type Instruments = Body<'listInstruments'>;
type Portfolio = Body<'getPortfolio'>;

interface TradeFormProps {
  readonly type: Type;
  readonly onType: (type: Type) => void;
  readonly form: UseFormReturnType<Values>;
  /** A request waits for its answer: nothing is changed meanwhile. */
  readonly isLocked: boolean;
  readonly traded: Instruments['items'][number] | undefined;
  readonly portfolio: UseQueryResult<Portfolio>;
  readonly instruments: UseQueryResult<Instruments>;
}

const LABELS: Readonly<Record<Type, string>> = {
  buy: 'Buy',
  sell: 'Sell',
  deposit: 'Deposit',
  withdrawal: 'Withdrawal',
  transfer: 'Transfer',
};

const MEANINGS: Readonly<Record<Type, string>> = {
  buy: 'It settles at the market price, from your cash in the instrument’s currency.',
  sell: 'It settles at the market price; the money is yours at once.',
  deposit: 'Money from outside, into this account.',
  withdrawal: 'Money to your own account at an outside bank: the payout account of your profile.',
  transfer: 'Money to somebody else’s account here. It cannot be called back once it is settled.',
};

/** The fields of a transaction, as far as its type has them, with what helps to fill them in. */
export function TradeForm(props: TradeFormProps) {
  const { type, onType, isLocked } = props;
  const isNarrow = useMediaQuery('(max-width: 36em)');
  return (
    <fieldset disabled={isLocked} className="plain-fieldset">
      <Stack>
        <SegmentedControl
          aria-label="Kind of transaction"
          value={type}
          onChange={(value) => onType(value as Type)}
          data={TYPES.map((value) => ({ value, label: LABELS[value] }))}
          disabled={isLocked}
          orientation={isNarrow ? 'vertical' : 'horizontal'}
          fullWidth={isNarrow === true}
        />
        <Text size="sm" c="dimmed">
          {MEANINGS[type]}
        </Text>
        <Unread query={props.portfolio} />
        {isTrade(type) && <Unread query={props.instruments} />}
        {isTrade(type) ? <TradeFields {...props} /> : <CashFields {...props} />}
        <Left type={type} />
      </Stack>
    </fieldset>
  );
}

function Unread({ query }: { query: UseQueryResult<unknown> }) {
  return query.isError && <Problem error={query.error} onRetry={() => void query.refetch()} />;
}

function TradeFields({ type, form, traded, portfolio, instruments }: TradeFormProps) {
  const { instrument, quantity } = form.values;
  const position = portfolio.data?.positions.find((one) => one.instrument === instrument);
  const about = estimate(quantity, traded?.price ?? null);
  return (
    <Stack gap="sm">
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <Select
          id="trade-instrument"
          label="Instrument"
          searchable
          allowDeselect={false}
          data={instruments.data?.items.map((one) => ({
            value: one.instrument,
            label: `${one.instrument} · ${one.name}`,
          }))}
          nothingFoundMessage={instruments.data ? 'No such instrument' : 'The instruments are not read yet'}
          placeholder="Choose one"
          {...form.getInputProps('instrument')}
          onChange={(value) => form.setFieldValue('instrument', value ?? '')}
        />
        <TextInput
          id="trade-quantity"
          label="Quantity"
          inputMode="decimal"
          autoComplete="off"
          {...form.getInputProps('quantity')}
        />
        <TextInput
          id="trade-price"
          label="Price limit (optional)"
          inputMode="decimal"
          autoComplete="off"
          {...form.getInputProps('price')}
        />
      </SimpleGrid>
      {traded !== undefined && (
        <Group gap="md">
          <Text size="sm">
            Latest price: <strong>{moneyText(traded.price, traded.currency)}</strong>
            {traded.pricedAt !== null && (
              <>
                {' of '}
                <Time at={traded.pricedAt} />
              </>
            )}
          </Text>
          {about !== undefined && (
            <Text size="sm">
              About <strong>{moneyText(about, traded.currency)}</strong>
            </Text>
          )}
          {type === 'buy' && <FreeCash portfolio={portfolio} currency={traded.currency} />}
          {type === 'sell' && portfolio.data && (
            <Text size="sm">
              Free: {quantityText(position?.available ?? '0')} {instrument}
            </Text>
          )}
          {traded.stale && (
            <Text size="sm" c="var(--mantine-color-error)">
              This price is too old to trade at: it would be refused.
            </Text>
          )}
        </Group>
      )}
    </Stack>
  );
}

function CashFields({ type, form, portfolio }: TradeFormProps) {
  const limits = useRead('getLimits', {});
  const rates = useRead('listExchangeRates', {});
  const known = [
    ...(limits.data ? [limits.data.currency] : []),
    ...(portfolio.data?.cash.map(({ currency }) => currency) ?? []),
    ...(rates.data?.items.map(({ currency }: Rate) => currency) ?? []),
  ];
  const currencies = [...new Set(known.length === 0 ? ['USD'] : known)];
  return (
    <Stack gap="sm">
      {type === 'transfer' && (
        <TextInput
          id="trade-counterparty"
          label="To account"
          description="The account id of who gets it, from their portfolio page"
          autoComplete="off"
          spellCheck={false}
          {...form.getInputProps('counterparty')}
        />
      )}
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <TextInput
          id="trade-amount"
          label="Amount"
          inputMode="decimal"
          autoComplete="off"
          {...form.getInputProps('amount')}
        />
        <Select
          id="trade-currency"
          label="Currency"
          data={currencies}
          allowDeselect={false}
          {...form.getInputProps('currency')}
          onChange={(value) => form.setFieldValue('currency', value ?? form.values.currency)}
        />
        <TextInput
          id="trade-category"
          label="Category (optional)"
          autoComplete="off"
          {...form.getInputProps('category')}
        />
      </SimpleGrid>
      {type !== 'deposit' && <FreeCash portfolio={portfolio} currency={form.values.currency} />}
    </Stack>
  );
}

/** What of the cash is not set aside; nothing before it is known, and 0 only where there is none. */
function FreeCash({ portfolio, currency }: { portfolio: UseQueryResult<Portfolio>; currency: string }) {
  if (portfolio.data === undefined) return null;
  const cash = portfolio.data.cash.find((one) => one.currency === currency);
  return <Text size="sm">Free: {moneyText(cash?.available ?? '0', currency)}</Text>;
}

type Rate = Item<'listExchangeRates'>;

/** What the limits leave for transactions of this kind. */
function Left({ type }: { type: Type }) {
  const { data } = useRead('getLimits', {});
  const group = isTrade(type) ? 'trade' : type === 'deposit' ? 'deposit' : 'money_out';
  const limits = data?.limits.filter((one) => one.group === group && one.limit !== null) ?? [];
  if (data === undefined || limits.length === 0) return null;
  return (
    <Text size="sm" c="dimmed">
      Your limits leave for {GROUPS[group].toLowerCase()}:{' '}
      {limits.map(({ window, left, limit }, index) => (
        <Fragment key={window}>
          {index > 0 && ', '}
          <Money amount={left ?? limit} currency={data.currency} /> {WINDOWS[window]}
        </Fragment>
      ))}
      .
    </Text>
  );
}
