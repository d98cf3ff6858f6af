import { Anchor, Group } from '@mantine/core';
import { Link } from 'react-router';
import type { Body } from '../../calls.ts';
import { AccountLink } from '../../parts/account-link.tsx';
import { words } from '../../parts/filters.tsx';
import { Id } from '../../parts/id.tsx';

/** What an incident is about, and the way there. */
export function Subject({ incident }: { incident: Pick<Body<'getIncident'>, 'subject' | 'userId' | 'cause'> }) {
  const { subject, userId, cause } = incident;
  const isLogin = cause === 'login_escalated' || cause === 'lockout';
  return (
    <Group gap="xs">
      {subject.kind === 'transaction' && (
        <Anchor component={Link} to={`/console/reviews/${subject.id}`}>
          the transaction
        </Anchor>
      )}
      {subject.kind === 'user' && <AccountLink userId={subject.id} />}
      {subject.kind !== 'user' && userId !== null && (
        <>
          {subject.kind === 'transaction' && 'of '}
          <AccountLink userId={userId} />
        </>
      )}
      {isLogin && (
        <Anchor component={Link} to="/console/authentication">
          recent sign-ins
        </Anchor>
      )}
      {subject.kind !== 'transaction' && subject.kind !== 'user' && (
        <>
          {words(subject.kind)} <Id id={subject.id} what="id of what it is about" />
        </>
      )}
    </Group>
  );
}
