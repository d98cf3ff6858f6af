import { Button, Group, NativeSelect, Stack, Text } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useChange } from '../../calls.ts';
import { useColleagues } from '../../parts/console.tsx';
import { Person } from '../../parts/people.tsx';
import { Countdown } from '../../parts/time.tsx';
import { useMe } from '../../session/session.tsx';
import { type Case, OF_CASE } from './case.ts';

interface ClaimProps {
  readonly held: Case;
  /** Whether this person may decide on it, and so take it up. */
  readonly mayTake: boolean;
  /** Runs a call and says where it was refused. */
  readonly onCall: (call: () => Promise<unknown>) => Promise<void>;
}

/** Who looks after the case, and taking it up, giving it back or giving it to somebody. */
export function Claim({ held, mayTake, onCall }: ClaimProps) {
  const { userId, role } = useMe();
  const claim = useChange('claimReview', { changes: OF_CASE });
  const release = useChange('releaseReview', { changes: OF_CASE });
  const path = { transactionId: held.transactionId };
  const isMine = held.claim?.reviewerId === userId;
  return (
    <Stack gap="sm">
      {held.claim === null ? (
        <Text size="sm">Nobody looks after it.</Text>
      ) : (
        <Text size="sm">
          With <Person id={held.claim.reviewerId} /> for another{' '}
          <Countdown to={held.claim.expiresAt} urgentMs={300_000} />
          {held.claim.assignedBy !== null && (
            <>
              , given by <Person id={held.claim.assignedBy} />
            </>
          )}
          .
        </Text>
      )}
      <Group gap="xs">
        {mayTake && (held.claim === null || isMine) && (
          <Button size="xs" variant="default" onClick={() => void onCall(() => claim.mutateAsync({ path }))}>
            {isMine ? 'Renew the claim' : 'Claim'}
          </Button>
        )}
        {held.claim !== null && (isMine || role === 'admin') && (
          <Button size="xs" variant="default" onClick={() => void onCall(() => release.mutateAsync({ path }))}>
            Give it back
          </Button>
        )}
      </Group>
      {role === 'admin' && <Assign held={held} onCall={onCall} />}
    </Stack>
  );
}

function Assign({ held, onCall }: Pick<ClaimProps, 'held' | 'onCall'>) {
  const colleagues = useColleagues();
  const assign = useChange('assignReview', { changes: OF_CASE });
  const [reviewerId, setReviewerId] = useState('');
  const others = colleagues.filter(
    (one) => (one.role === 'reviewer' || one.role === 'admin') && one.userId !== held.userId,
  );
  if (others.length === 0) return null;

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (reviewerId === '') return;
    const path = { transactionId: held.transactionId };
    void onCall(() => assign.mutateAsync({ path, body: { reviewerId } }));
  }

  return (
    <form onSubmit={submit}>
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <NativeSelect
          label="Give it to"
          size="xs"
          flex={1}
          required
          value={reviewerId}
          onChange={(event) => setReviewerId(event.currentTarget.value)}
          data={[
            { value: '', label: 'Choose somebody' },
            ...others.map((one) => ({ value: one.userId, label: `${one.fullName} (${one.role})` })),
          ]}
        />
        <Button type="submit" size="xs" variant="default">
          Assign
        </Button>
      </Group>
    </form>
  );
}
