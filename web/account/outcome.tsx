import { Alert, Stack, Text } from '@mantine/core';
import { Countdown, Time } from '../parts/time.tsx';
import { type Details, rejectionText } from './transaction-words.ts';

const COLOURS = {
  settled: 'green',
  step_up_required: 'blue',
  quarantined: 'yellow',
  payment_required: 'blue',
  rejected: 'red',
} as const;

const TITLES = {
  settled: 'Settled',
  step_up_required: 'Waits for you to confirm it',
  quarantined: 'Held for review',
  payment_required: 'Waits for its payment',
  rejected: 'Rejected: nothing was moved',
} as const;

/** What became of a transaction, in words, with its deadline. */
export function Outcome({ transaction }: { transaction: Details }) {
  const { status } = transaction;
  return (
    <Alert role="status" color={COLOURS[status]} variant="light" title={TITLES[status]}>
      <Stack gap={4}>
        <Explanation transaction={transaction} />
      </Stack>
    </Alert>
  );
}

function Explanation({ transaction }: { transaction: Details }) {
  const { status, expiresAt, reviewBy, payBy, finishedAt, appealBy } = transaction;
  switch (status) {
    case 'settled':
      return (
        <Text size="sm">
          It is booked since <Time at={finishedAt} />.
        </Text>
      );
    case 'step_up_required':
      return (
        <>
          <Text size="sm">It needs a second factor of yours. Until then the funds are set aside.</Text>
          {expiresAt && <Deadline at={expiresAt} what="Confirm it by" urgentMs={120_000} />}
        </>
      );
    case 'quarantined':
      return (
        <>
          <Text size="sm">
            A person looks at it before it goes on. The funds are set aside; you get a letter when it is decided.
          </Text>
          {reviewBy && <Deadline at={reviewBy} what="Decided by" />}
        </>
      );
    case 'payment_required':
      return (
        <>
          <Text size="sm">It is let through, and booked as soon as its payment has come in.</Text>
          {payBy && <Deadline at={payBy} what="Pay it by" />}
        </>
      );
    case 'rejected':
      return (
        <>
          <Text size="sm">{rejectionText(transaction)}</Text>
          {appealBy && <Deadline at={appealBy} what="You may appeal once, by" />}
        </>
      );
  }
}

function Deadline({ at, what, urgentMs }: { at: string; what: string; urgentMs?: number }) {
  return (
    <Text size="sm">
      {what} <Time at={at} />: <Countdown to={at} urgentMs={urgentMs} /> left.
    </Text>
  );
}
