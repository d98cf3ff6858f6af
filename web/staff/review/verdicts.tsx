import { Alert, Group, Stack, Text } from '@mantine/core';
import { StatusBadge } from '../../parts/badges.tsx';
import { words } from '../../parts/filters.tsx';
import { Person } from '../../parts/people.tsx';
import { Time } from '../../parts/time.tsx';
import type { Case } from './case.ts';

const PAST = { approve: 'approved', reject: 'rejected' } as const;

/** The verdicts so far, of both holds where there was an appeal. */
export function Verdicts({ held }: { held: Case }) {
  return (
    <Stack gap="sm">
      {held.verdicts.length === 0 ? (
        <Text size="sm" c="dimmed">
          Nobody has decided yet.
        </Text>
      ) : (
        <ul className="entries" aria-label="Verdicts">
          {held.verdicts.map(({ reviewerId, verdict, hold, reason, source, at }) => (
            <li key={`${hold} ${at} ${reviewerId}`}>
              <Group gap="xs">
                <StatusBadge status={PAST[verdict]} />
                <Text size="xs" c="dimmed">
                  <Person id={reviewerId} />, <Time at={at} />
                  {held.hold > 1 && (hold === held.hold ? ', on appeal' : ', before the appeal')}
                  {source === 'signal' && ', by an operator'}
                </Text>
              </Group>
              <Text size="sm" className="written">
                {reason}
              </Text>
            </li>
          ))}
        </ul>
      )}
    </Stack>
  );
}

/** The owner's appeal, which has others decide anew. */
export function Appeal({ appeal }: { appeal: NonNullable<Case['appeal']> }) {
  return (
    <Alert color="yellow" variant="light" title="The customer has appealed">
      <Text size="sm" className="written">
        {appeal.reason}
      </Text>
      <Text size="xs" c="dimmed" mt={4}>
        <Time at={appeal.appealedAt} />; {words(appeal.rejectedCode)} before, <Time at={appeal.rejectedAt} />
      </Text>
    </Alert>
  );
}
