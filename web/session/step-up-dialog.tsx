import { Alert, Code, Group, Modal, SegmentedControl, Stack, Text } from '@mantine/core';
import { useState, useSyncExternalStore } from 'react';
import type { Factor, StepUpChallenge } from '../../client/index.ts';
import { useRead } from '../calls.ts';
import { CopyText } from '../parts/copy-text.tsx';
import { Facts } from '../parts/facts.tsx';
import { Money, moneyText, quantityText } from '../parts/money.tsx';
import { QrCode } from '../parts/qr-code.tsx';
import { Countdown } from '../parts/time.tsx';
import { CodeForm, PasskeyForm, QuestionsForm, RecoveryForm } from './factor-forms.tsx';
import { type OpenChallenge, stepUpStore } from './step-up.ts';

type Method = Factor['method'];

const NAMES: Readonly<Record<Method, string>> = {
  totp: 'Authenticator',
  email_code: 'E-mail',
  webauthn: 'Passkey',
  recovery_code: 'Recovery code',
  security_questions: 'Questions',
};

/** Asks for a second factor wherever the client is asked for one: sign-ins, sensitive calls, transactions. */
export function StepUpDialog() {
  const open = useSyncExternalStore(stepUpStore.subscribe, stepUpStore.current);
  return (
    <Modal
      opened={open !== undefined}
      onClose={() => open?.answer(null)}
      title={open && titleOf(open.challenge)}
      closeOnClickOutside={false}
      // Before the dialog of the call that asks for it.
      zIndex={300}
      closeButtonProps={{ 'aria-label': 'Close' }}
      centered
    >
      {open && <Question key={open.id} open={open} />}
    </Modal>
  );
}

function titleOf({ for: what, enrolment, transaction }: StepUpChallenge): string {
  if (enrolment !== undefined) return 'Set up your authenticator';
  if (transaction !== undefined) {
    return `Confirm: ${transaction.type} of ${moneyText(transaction.amount, transaction.currency)}`;
  }
  return what === 'login' ? 'One more proof that it is you' : 'Prove that it is still you';
}

function Question({ open }: { open: OpenChallenge }) {
  const { methods, enrolment, triesLeft, transaction, expiresAt } = open.challenge;
  const [method, setMethod] = useState<Method>(methods[0] ?? 'totp');
  // After a wrong answer its form begins anew.
  const form = { open, key: `${method} ${triesLeft}` };
  return (
    <Stack>
      {transaction !== undefined && <Terms transactionId={transaction.transactionId} />}
      {enrolment !== undefined && (
        <Stack gap="xs" align="center">
          <Text size="sm">Scan this with an authenticator app, or enter the secret there.</Text>
          <QrCode text={enrolment.otpauthUri} label="QR code of the secret" />
          <Group gap={4} justify="center">
            <Code aria-label="Secret">{enrolment.secret}</Code>
            <CopyText text={enrolment.secret} what="secret" />
          </Group>
        </Stack>
      )}
      {triesLeft !== undefined && !open.busy && (
        <Alert role="alert" color="red" variant="light">
          That was not right. {triesLeft === 1 ? 'One try is left.' : `${triesLeft} tries are left.`}
        </Alert>
      )}
      {methods.length > 1 && (
        <SegmentedControl
          aria-label="How to prove it"
          value={method}
          onChange={(value) => setMethod(value as Method)}
          data={methods.map((value) => ({ value, label: NAMES[value] }))}
          orientation={methods.length > 2 ? 'vertical' : 'horizontal'}
          fullWidth
        />
      )}
      {method === 'totp' && <CodeForm {...form} key={form.key} method={method} />}
      {method === 'email_code' && <CodeForm {...form} key={form.key} method={method} />}
      {method === 'recovery_code' && <RecoveryForm {...form} key={form.key} />}
      {method === 'webauthn' && <PasskeyForm {...form} key={form.key} />}
      {method === 'security_questions' && <QuestionsForm {...form} key={form.key} />}
      {expiresAt !== undefined && (
        <Text size="sm" c="dimmed">
          Time left: <Countdown to={expiresAt} urgentMs={60_000} />
        </Text>
      )}
    </Stack>
  );
}

/** What a proof is good for, as the server has it: who confirms sees where the money goes. */
function Terms({ transactionId }: { transactionId: string }) {
  const { data } = useRead('getTransaction', { path: { transactionId } });
  if (data === undefined) return null;
  const { instrument, quantity, priceLimit, counterparty, amount, currency } = data;
  const facts = [
    ['Amount', <Money key="amount" amount={amount} currency={currency} />],
    ...(counterparty === null ? [] : [['To account', counterparty]]),
    ...(instrument === null ? [] : [['Instrument', `${quantityText(quantity)} ${instrument}`]]),
    ...(priceLimit === null ? [] : [['Price limit', <Money key="limit" amount={priceLimit} currency={currency} />]]),
  ] as const;
  return <Facts facts={facts as Parameters<typeof Facts>[0]['facts']} />;
}
