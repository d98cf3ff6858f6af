import { Alert, Anchor, Stack, Text } from '@mantine/core';
import { type RefObject, useEffect, useRef, useState } from 'react';
import { Link } from 'react-router';
import { useRead } from '../../calls.ts';
import { Section } from '../../parts/page.tsx';
import { Person } from '../../parts/people.tsx';
import { problemText } from '../../parts/problem.tsx';
import { Time } from '../../parts/time.tsx';
import { useMe } from '../../session/session.tsx';
import { type Case, nameOf, type Standing } from './case.ts';
import { Claim } from './claim.tsx';
import { type Said, VerdictForm } from './verdict-form.tsx';

interface DecideProps {
  readonly held: Case;
  readonly standing: Standing;
  readonly reasonField: RefObject<HTMLTextAreaElement | null>;
}

/** Claim and verdict, as far as this person may, and what came of what they did. */
export function Decide({ held, standing, reasonField }: DecideProps) {
  const { userId, role } = useMe();
  const [said, setSaid] = useState<Said>();
  const answer = useRef<HTMLDivElement>(null);
  const isWithOther = held.claim !== null && held.claim.reviewerId !== userId;
  // The form may be gone with the case: the focus goes where the answer stands, not back to the top of the page.
  useEffect(() => {
    if (said?.good) answer.current?.focus();
  }, [said]);

  async function run(call: () => Promise<unknown>): Promise<void> {
    setSaid(undefined);
    try {
      await call();
    } catch (error) {
      setSaid({ good: false, text: problemText(error) });
    }
  }

  return (
    <Section title="Verdict">
      <Stack gap="md">
        {said !== undefined && (
          <Alert
            ref={answer}
            tabIndex={-1}
            role={said.good ? 'status' : 'alert'}
            color={said.good ? 'green' : 'red'}
            variant="light"
          >
            <Text size="sm">{said.text}</Text>
            {said.good && <Next after={held.transactionId} />}
          </Alert>
        )}
        <Situation held={held} standing={standing} isWithOther={isWithOther} isAdmin={role === 'admin'} />
        {(standing === 'decides' || standing === 'approved') && (
          <VerdictForm
            held={held}
            standing={standing}
            blocked={isWithOther && role !== 'admin'}
            reasonField={reasonField}
            onSaid={setSaid}
          />
        )}
        {held.status === 'quarantined' && <Claim held={held} mayTake={standing === 'decides'} onCall={run} />}
      </Stack>
    </Section>
  );
}

interface SituationProps extends Pick<DecideProps, 'held' | 'standing'> {
  readonly isWithOther: boolean;
  readonly isAdmin: boolean;
}

/** Why there is no form, or what there is to know before it is sent. */
function Situation({ held, standing, isWithOther, isAdmin }: SituationProps) {
  if (standing === 'decided') {
    return (
      <Text size="sm">
        {held.status === 'step_up_required' ? 'It waits for its owner.' : `It is ${held.status}.`}
        {held.finishedAt !== null && (
          <>
            {' '}
            Since <Time at={held.finishedAt} />.
          </>
        )}
      </Text>
    );
  }
  if (standing === 'looks') return <Text size="sm">Reviewers decide about it.</Text>;
  if (standing === 'rejected-before') {
    return <Text size="sm">You rejected it before the appeal: others decide now.</Text>;
  }
  if (!isWithOther || held.claim === null) return null;
  return (
    <Alert color="yellow" variant="light">
      <Text size="sm">
        <Person id={held.claim.reviewerId} /> looks after it.{' '}
        {isAdmin
          ? 'You may decide all the same; the audit log says whose claim you overrode.'
          : 'A verdict of yours is refused until the claim ends.'}
      </Text>
    </Alert>
  );
}

/** The most urgent case that is left. */
function Next({ after }: { after: string }) {
  const { userId } = useMe();
  const queue = useRead('listReviews', { query: { status: 'held', sort: 'deadline', limit: 5 } });
  const next = queue.data?.items.find((one) => one.transactionId !== after && one.userId !== userId);
  if (queue.data === undefined) return null;
  return (
    <Anchor
      component={Link}
      to={next === undefined ? '/console/reviews' : `/console/reviews/${next.transactionId}`}
      size="sm"
    >
      {next === undefined ? 'To the queue' : `Next: ${nameOf(next)}`}
    </Anchor>
  );
}
