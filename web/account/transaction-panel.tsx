import { Button, Group, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { client } from '../api.ts';
import { useChange, useRead } from '../calls.ts';
import { ConfirmButton } from '../parts/confirm-button.tsx';
import { Facts } from '../parts/facts.tsx';
import { Id } from '../parts/id.tsx';
import { ReasonButton } from '../parts/reason-dialog.tsx';
import { Refused } from '../parts/refused.tsx';
import { BrowserKeySection, useBrowserKey } from './browser-key.tsx';
import { Outcome } from './outcome.tsx';
import { type Details, isOpen, REFRESH_MS, whatText } from './transaction-words.ts';

const CHANGED = ['getTransaction', 'listTransactions', 'getPortfolio', 'getLimits'] as const;

/** A transaction as it stands now; read again while it is open. */
export const useTransaction = (transactionId: string) =>
  useRead(
    'getTransaction',
    { path: { transactionId } },
    { refreshMs: (shown) => shown !== undefined && isOpen(shown) && REFRESH_MS },
  );

interface PanelProps {
  readonly transaction: Details;
  /** Asks for the factor at once where one is waited for, as part of what the person has just begun. */
  readonly confirmNow?: boolean;
}

/** What became of a transaction, and what its owner can do about it: confirm, cancel, appeal. All of it is signed. */
export function TransactionPanel({ transaction, confirmNow = false }: PanelProps) {
  const { transactionId, status, appealBy } = transaction;
  const path = { transactionId };
  const key = useBrowserKey();
  const queries = useQueryClient();
  const cancel = useChange('cancelTransaction', { changes: CHANGED });
  const appeal = useChange('appealTransaction', { changes: CHANGED });
  const confirm = useMutation({
    mutationFn: () => client.resumeTransaction(transaction),
    // Also where it was refused: the row says what became of it.
    onSettled: () => Promise.all(CHANGED.map((name) => queries.invalidateQueries({ queryKey: [name] }))),
  });
  const asked = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked once, when it appears
  useEffect(() => {
    if (!confirmNow || asked.current || status !== 'step_up_required') return;
    asked.current = true;
    confirm.mutate();
  }, []);
  const canAppeal = appealBy !== undefined && Date.parse(appealBy) > Date.now();
  const canAct = isOpen(transaction) || canAppeal;
  return (
    <Stack gap="md">
      <Outcome transaction={transaction} />
      {status !== 'rejected' && <Refused error={confirm.error} />}
      {status === 'payment_required' && <Payment transactionId={transactionId} />}
      {canAct && key.data === null && <BrowserKeySection />}
      {canAct && key.data && (
        <Group gap="xs">
          {status === 'step_up_required' && (
            <Button onClick={() => confirm.mutate()} loading={confirm.isPending}>
              Confirm it
            </Button>
          )}
          {isOpen(transaction) && (
            <ConfirmButton
              label="Cancel the transaction"
              keepLabel="Keep it"
              color="red"
              what={`The ${whatText(transaction)} is taken back, and what was set aside for it is free again.`}
              onConfirm={() => cancel.mutateAsync({ path })}
            />
          )}
          {canAppeal && (
            <ReasonButton
              label="Appeal"
              what="Others than who decided look at it once more. It is held again, its funds set aside."
              reasonLabel="Why it should go through"
              reasonHint="Those who decide read it"
              onConfirm={(reason) => appeal.mutateAsync({ path, body: { reason } })}
            />
          )}
        </Group>
      )}
    </Stack>
  );
}

/** How a deposit stands at the payment provider. Cards are taken there: this page sees no card number. */
function Payment({ transactionId }: { transactionId: string }) {
  const { data } = useRead('getPayment', { path: { transactionId } });
  if (data === undefined) return null;
  return (
    <Stack gap="xs">
      <Text size="sm">It is paid at the payment provider, which this page names the payment to.</Text>
      <Facts
        facts={[
          ['Provider', data.provider],
          ['Payment', <Id key="id" id={data.paymentId} what="payment id" />],
          ['State', data.state],
        ]}
      />
    </Stack>
  );
}
