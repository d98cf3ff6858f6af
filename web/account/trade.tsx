import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useEffect, useRef } from 'react';
import { Link, useSearchParams } from 'react-router';
import { isProblem } from '../../client/index.ts';
import { useRead } from '../calls.ts';
import { moneyText } from '../parts/money.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Refused } from '../parts/refused.tsx';
import { useMe } from '../session/session.tsx';
import { BrowserKeySection, useBrowserKey } from './browser-key.tsx';
import type { TransactionBody } from './open-request.ts';
import { TradeForm } from './trade-form.tsx';
import { bodyOf, faultsOf, TYPES, type Type, type Values } from './trade-values.ts';
import { TransactionPanel, useTransaction } from './transaction-panel.tsx';
import { titleText } from './transaction-words.ts';
import { useTransactionRequest } from './use-transaction-request.ts';

const EMPTY: Values = {
  instrument: '',
  quantity: '',
  price: '',
  amount: '',
  currency: 'USD',
  counterparty: '',
  category: '',
};

/** Asks for a transaction; it is signed in this browser, and happens once however often it is sent. */
export default function Trade() {
  const { userId } = useMe();
  const [params, setParams] = useSearchParams();
  const type = TYPES.find((one) => one === params.get('type')) ?? 'buy';
  const key = useBrowserKey();
  const portfolio = useRead('getPortfolio', {});
  const instruments = useRead('listInstruments', {});
  const request = useTransactionRequest(userId);
  const form = useForm<Values>({
    initialValues: { ...EMPTY, instrument: params.get('instrument') ?? '', counterparty: params.get('to') ?? '' },
  });
  const traded = instruments.data?.items.find(({ instrument }) => instrument === form.values.instrument);

  function submit(): void {
    const known = { ownAccount: portfolio.data?.accountId, tradedIn: traded?.currency };
    const faults = Object.entries(faultsOf(type, form.values, known)).filter(([, text]) => text);
    form.setErrors(Object.fromEntries(faults));
    if (faults.length === 0) request.ask(bodyOf(type, form.values, known));
    else document.getElementById(`trade-${faults[0]?.[0]}`)?.focus();
  }

  const { error } = request;
  useEffect(() => {
    if (!isProblem(error, 'validation_failed')) return;
    const errors = error.problem.errors ?? [];
    form.setErrors(Object.fromEntries(errors.map(({ pointer, detail }) => [pointer.slice(1), detail])));
  }, [error, form.setErrors]);

  if (request.transactionId !== undefined) {
    return (
      <Page title="New transaction">
        <Done
          transactionId={request.transactionId}
          onAgain={(wasRejected) => {
            request.startAnew();
            if (!wasRejected) form.reset();
          }}
        />
      </Page>
    );
  }
  return (
    <Page title="New transaction">
      {key.data === null && <BrowserKeySection />}
      <Section title="What to do">
        <Stack>
          {request.open && !request.isSending && (
            <Unanswered body={request.open.body} onAgain={request.again} onLeave={request.startAnew} />
          )}
          <form
            onSubmit={(event) => {
              event.preventDefault();
              submit();
            }}
          >
            <TradeForm
              type={type}
              onType={(next) => setParams(new URLSearchParams({ type: next }), { replace: true })}
              form={form}
              isLocked={request.open !== undefined}
              traded={traded}
              portfolio={portfolio}
              instruments={instruments}
            />
            {request.open === undefined && <Refused error={error} />}
            <Group mt="md" gap="sm">
              <Button
                type="submit"
                loading={request.isSending}
                disabled={!key.data || (request.open !== undefined && !request.isSending)}
              >
                {VERBS[type]}
              </Button>
              {key.data === null && (
                <Text size="sm" c="dimmed">
                  Make a signing key first.
                </Text>
              )}
            </Group>
          </form>
        </Stack>
      </Section>
      {key.data !== null && <BrowserKeySection />}
    </Page>
  );
}

const VERBS: Readonly<Record<Type, string>> = {
  buy: 'Buy',
  sell: 'Sell',
  deposit: 'Deposit',
  withdrawal: 'Withdraw',
  transfer: 'Transfer',
};

/** No answer came: to ask again is safe, to fill the form in anew might do it twice. */
function Unanswered(props: { body: TransactionBody; onAgain: () => void; onLeave: () => void }) {
  const { type, amount, currency, quantity, instrument } = props.body;
  const what = instrument === undefined ? moneyText(amount, currency) : `${quantity} ${instrument}`;
  return (
    <Alert role="alert" color="yellow" variant="light" title={`No answer yet: ${type} of ${what}`}>
      <Stack gap="xs">
        <Text size="sm">
          It may have been carried out. Ask again: it is the same request, and happens once. Or leave it, and look at
          your transactions before you fill it in anew.
        </Text>
        <Group gap="xs">
          <Button size="xs" onClick={props.onAgain}>
            Ask again
          </Button>
          <Button size="xs" variant="default" component={Link} to="/account/transactions" onClick={props.onLeave}>
            Leave it and see the transactions
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}

function Done({ transactionId, onAgain }: { transactionId: string; onAgain: (wasRejected: boolean) => void }) {
  const transaction = useTransaction(transactionId);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.focus(), []);
  return (
    <div ref={box} tabIndex={-1} className="focus-target">
      <Read query={transaction}>
        {(found) => (
          <Section title={titleText(found)}>
            <Stack>
              <TransactionPanel transaction={found} confirmNow />
              <Group gap="xs">
                <Button variant="subtle" component={Link} to={`/account/transactions/${transactionId}`}>
                  See the transaction
                </Button>
                <Button variant="subtle" onClick={() => onAgain(found.status === 'rejected')}>
                  {found.status === 'rejected' ? 'Change it and ask again' : 'Another transaction'}
                </Button>
              </Group>
            </Stack>
          </Section>
        )}
      </Read>
    </div>
  );
}
