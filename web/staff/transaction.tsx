import './case.css';
import { Anchor, Stack } from '@mantine/core';
import { Link, useParams } from 'react-router';
import { type Body, useRead } from '../calls.ts';
import { AccountLink } from '../parts/account-link.tsx';
import { Score, StatusBadge } from '../parts/badges.tsx';
import { Facts, Figures } from '../parts/facts.tsx';
import { words } from '../parts/filters.tsx';
import { Id } from '../parts/id.tsx';
import { Money, moneyText } from '../parts/money.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Time } from '../parts/time.tsx';
import { WorkflowLink } from '../parts/workflow-link.tsx';
import { Explanation } from './decision/explanation.tsx';
import { Inputs } from './decision/inputs.tsx';

type Decision = Body<'getDecision'>;

const LIST = { path: '/console/transactions', label: 'Transactions' };

/** Why a transaction was decided as it was, whether it was held or not. */
export default function Transaction() {
  const { transactionId = '' } = useParams();
  const decision = useRead('getDecision', { path: { transactionId } });
  if (decision.data === undefined) {
    return (
      <Page title="Transaction" parent={LIST}>
        <Read query={decision}>{() => null}</Read>
      </Page>
    );
  }
  const { transaction, status, code } = decision.data;
  return (
    <Page
      key={transactionId}
      title={`${transaction.type} of ${transaction.amount ?? '?'} ${transaction.currency}`}
      parent={LIST}
      actions={
        <>
          <StatusBadge status={status} code={code} />
          {transaction.heldAt !== null && (
            <Anchor component={Link} to={`/console/reviews/${transactionId}`}>
              The case
            </Anchor>
          )}
          <WorkflowLink workflowId={`transaction:${transactionId}`} />
        </>
      }
    >
      <Read query={decision}>{(data) => <Shown decision={data} />}</Read>
    </Page>
  );
}

function Shown({ decision }: { decision: Decision }) {
  const { transaction, transactionId, score, action, decidedAt, ruleSetVersion } = decision;
  const { baseAmount, baseCurrency } = transaction;
  const isForeign = transaction.currency !== baseCurrency;
  return (
    <Stack gap="lg">
      <Figures
        figures={[
          {
            label: 'Amount',
            value: <Money amount={transaction.amount} currency={transaction.currency} />,
            ...(isForeign ? { hint: moneyText(baseAmount, baseCurrency) } : {}),
          },
          { label: 'Score', value: <Score value={score} /> },
          { label: 'Rules asked for', value: action === null ? '–' : words(action) },
        ]}
      />
      <div className="case">
        <Stack gap="lg">
          <Explanation decision={decision} currency={baseCurrency} amount={baseAmount} />
          <Inputs decision={decision} currency={baseCurrency} />
        </Stack>
        <Section title="Facts">
          <Facts
            facts={[
              ['Customer', <AccountLink key="customer" userId={transaction.userId} />],
              ['Account', <Id key="account" id={transaction.accountId} what="id of the account" />],
              ['Transaction', <Id key="transaction" id={transactionId} what="id of the transaction" />],
              ['Category', transaction.category],
              ['Counterparty', transaction.counterparty],
              ['Instrument', transaction.instrument],
              ['Quantity', transaction.quantity],
              ['Decided', <Time key="decided" at={decidedAt} />],
              ['Held', <Time key="held" at={transaction.heldAt} />],
              ['Ended', <Time key="ended" at={transaction.finishedAt} />],
              ['Rule set', ruleSetVersion],
            ]}
          />
        </Section>
      </div>
    </Stack>
  );
}
