import '../case.css';
import { Stack } from '@mantine/core';
import { useRef } from 'react';
import { useRead } from '../../calls.ts';
import { AccountLink } from '../../parts/account-link.tsx';
import { Score, StatusBadge } from '../../parts/badges.tsx';
import { Facts, Figures } from '../../parts/facts.tsx';
import { words } from '../../parts/filters.tsx';
import { Id } from '../../parts/id.tsx';
import { KeyHints, useShortcuts } from '../../parts/keys.tsx';
import { Money, moneyText } from '../../parts/money.tsx';
import { Page, Section } from '../../parts/page.tsx';
import { Person } from '../../parts/people.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Read } from '../../parts/read.tsx';
import { Countdown, Time } from '../../parts/time.tsx';
import { WorkflowLink } from '../../parts/workflow-link.tsx';
import { useMe } from '../../session/session.tsx';
import { Explanation } from '../decision/explanation.tsx';
import { Inputs } from '../decision/inputs.tsx';
import { EventTimeline } from '../incident/timeline.tsx';
import { type Case, nameOf, standingOf } from './case.ts';
import { Decide } from './decide.tsx';
import { History } from './history.tsx';
import { Labels } from './labels.tsx';
import { Notes } from './notes.tsx';
import { Appeal, Verdicts } from './verdicts.tsx';

export const QUEUE = { path: '/console/reviews', label: 'Review queue' };

/** @param problem why the case could not be read again: what is shown may be old */
export function CasePage({ held, problem }: { held: Case; problem: unknown }) {
  const me = useMe();
  const decision = useRead('getDecision', { path: { transactionId: held.transactionId } });
  const reasonField = useRef<HTMLTextAreaElement>(null);
  const noteField = useRef<HTMLTextAreaElement>(null);
  const standing = standingOf(held, me);
  const mayWrite = me.role === 'reviewer' || me.role === 'admin';
  useShortcuts({ v: () => reasonField.current?.focus(), n: () => noteField.current?.focus() });
  return (
    <Page
      title={nameOf(held)}
      parent={QUEUE}
      actions={
        <>
          <StatusBadge status={held.status} code={held.code} />
          <WorkflowLink workflowId={held.workflowId} />
        </>
      }
    >
      {problem !== null && problem !== undefined && <Problem error={problem} />}
      <Summary held={held} />
      <div className="case">
        <Stack gap="lg">
          {held.appeal !== null && <Appeal appeal={held.appeal} />}
          <Read query={decision}>
            {(data) => <Explanation decision={data} currency={held.baseCurrency} amount={held.baseAmount} />}
          </Read>
          <Section title="History of the account">
            <History held={held} />
          </Section>
          <Section title="Timeline" hint="Of the incidents that it is about">
            <EventTimeline events={held.timeline} label="Timeline of the case" />
          </Section>
          {decision.data !== undefined && <Inputs decision={decision.data} currency={held.baseCurrency} />}
        </Stack>
        <Stack gap="lg">
          <Decide held={held} standing={standing} reasonField={reasonField} />
          <Section title="Verdicts" hint={`${held.approvals.length} of ${held.requiredApprovals} approvals`}>
            <Verdicts held={held} />
          </Section>
          <Section title="Notes">
            <Notes held={held} mayWrite={mayWrite} field={noteField} />
          </Section>
          <Section title="Labels">
            <Labels held={held} mayLabel={mayWrite && held.finishedAt !== null} />
          </Section>
          <Section title="Facts">
            <CaseFacts held={held} />
          </Section>
        </Stack>
      </div>
      {mayWrite && (
        <KeyHints
          hints={[
            [['v'], 'verdict'],
            [['n'], 'note'],
          ]}
        />
      )}
    </Page>
  );
}

function Summary({ held }: { held: Case }) {
  const isOpen = held.status === 'quarantined';
  const isForeign = held.currency !== held.baseCurrency;
  return (
    <Figures
      figures={[
        {
          label: 'Amount',
          value: <Money amount={held.amount} currency={held.currency} />,
          ...(isForeign ? { hint: `${moneyText(held.baseAmount)} ${held.baseCurrency}` } : {}),
        },
        { label: 'Score', value: <Score value={held.score} /> },
        isOpen
          ? { label: 'Time left', value: <Countdown to={held.reviewBy} />, hint: <Time at={held.reviewBy} /> }
          : { label: 'Decided', value: words(held.code ?? held.status), hint: <Time at={held.finishedAt} /> },
        {
          label: 'Approvals',
          value: `${held.approvals.length} of ${held.requiredApprovals}`,
          ...(held.requiredApprovals > 1 ? { hint: 'different people' } : {}),
        },
        { label: 'With', value: held.claim === null ? 'nobody' : <Person id={held.claim.reviewerId} /> },
        { label: 'Hold', value: held.hold === 1 ? 'first' : 'on appeal' },
      ]}
    />
  );
}

function CaseFacts({ held }: { held: Case }) {
  return (
    <Facts
      facts={[
        ['Customer', <AccountLink key="customer" userId={held.userId} />],
        ['Account', <Id key="account" id={held.accountId} what="id of the account" />],
        ['Transaction', <Id key="transaction" id={held.transactionId} what="id of the transaction" />],
        ['Category', held.category],
        ['Counterparty', held.counterparty],
        ['Instrument', held.instrument],
        ['Quantity', held.quantity],
        ['Asked for', <Time key="asked" at={held.createdAt} />],
        ['Held', <Time key="held" at={held.heldAt} />],
        ['Review by', <Time key="by" at={held.reviewBy} />],
        ['Ended', <Time key="ended" at={held.finishedAt} />],
        ['Rule set', held.ruleSetVersion],
      ]}
    />
  );
}
