import { Alert, Button, Group, NativeSelect, Stack, Text, Textarea } from '@mantine/core';
import { type FormEvent, type Ref, useState } from 'react';
import { useChange } from '../../calls.ts';
import { problemText } from '../../parts/problem.tsx';
import { type Case, nameOf, OF_CASE, type Standing } from './case.ts';

type Verdict = 'approve' | 'reject';
const LABELS = ['', 'false_positive', 'confirmed_fraud'] as const;
type Label = (typeof LABELS)[number];

/** What came of a verdict, for the person who gave it. */
export interface Said {
  readonly good: boolean;
  readonly text: string;
}

interface VerdictFormProps {
  readonly held: Case;
  readonly standing: Extract<Standing, 'approved' | 'decides'>;
  /** Somebody else has claimed it, and this person is no administrator. */
  readonly blocked: boolean;
  readonly reasonField: Ref<HTMLTextAreaElement>;
  readonly onSaid: (said: Said) => void;
}

/** Approves or rejects, with a reason and what it turned out to be. What was written stays where the call is refused. */
export function VerdictForm({ held, standing, blocked, reasonField, onSaid }: VerdictFormProps) {
  const [reason, setReason] = useState('');
  const [label, setLabel] = useState<Label>('');
  const [busy, setBusy] = useState(false);
  const approve = useChange('approveTransaction', { changes: OF_CASE });
  const reject = useChange('rejectTransaction', { changes: OF_CASE });
  const path = { transactionId: held.transactionId };

  async function send(verdict: Verdict): Promise<string> {
    if (verdict === 'approve') {
      if (label === 'confirmed_fraud') throw new Error('A confirmed fraud is not approved.');
      const answer = await approve.mutateAsync({ path, body: { reason, ...(label === '' ? {} : { label }) } });
      return answer.status === 202
        ? `Recorded: ${answer.body.approvals} of ${answer.body.required} approvals.`
        : ended(held, answer.body);
    }
    if (label === 'false_positive') throw new Error('A false positive is not rejected.');
    const answer = await reject.mutateAsync({ path, body: { reason, ...(label === '' ? {} : { label }) } });
    return answer.status === 202 ? 'Recorded.' : ended(held, answer.body);
  }

  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const submitter = (event.nativeEvent as SubmitEvent).submitter;
    // Not disabled meanwhile: that would take the focus away from whoever uses the keyboard.
    if (busy || !(submitter instanceof HTMLButtonElement)) return;
    setBusy(true);
    try {
      onSaid({ good: true, text: await send(submitter.value as Verdict) });
      setReason('');
    } catch (error) {
      onSaid({ good: false, text: problemText(error) });
    } finally {
      setBusy(false);
    }
  }

  // Who has begun to write keeps it: the other's claim may lapse.
  if (blocked && reason === '') return null;
  return (
    <form onSubmit={(event) => void submit(event)} aria-busy={busy} aria-label="Verdict">
      <Stack gap="sm">
        {standing === 'approved' && (
          <Alert variant="light" color="blue">
            <Text size="sm">You have approved this; another reviewer is awaited. You may still reject it.</Text>
          </Alert>
        )}
        <Textarea
          ref={reasonField}
          label="Reason of your verdict"
          description="For colleagues and the audit log; the customer does not see it"
          name="reason"
          required
          maxLength={1000}
          autosize
          minRows={2}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <NativeSelect
          label="What it turned out to be"
          value={label}
          onChange={(event) => setLabel(LABELS.find((one) => one === event.currentTarget.value) ?? '')}
          data={[
            { value: '', label: 'not known (inconclusive)' },
            { value: 'false_positive', label: 'false positive' },
            { value: 'confirmed_fraud', label: 'confirmed fraud' },
          ]}
        />
        <Group gap="sm" grow>
          {standing === 'decides' && (
            <Button type="submit" value="approve">
              Approve
            </Button>
          )}
          <Button type="submit" value="reject" color="red">
            Reject
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function ended(
  held: Case,
  { status, code }: { status?: string | undefined; code?: string | null | undefined },
): string {
  return `The ${nameOf(held)} is ${status ?? held.status}${code ? ` (${code})` : ''}.`;
}
