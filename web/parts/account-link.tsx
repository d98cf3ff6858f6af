import { Anchor, Code } from '@mantine/core';
import { Link } from 'react-router';

/** The page of an account, by its id where nobody knows a name. */
export function AccountLink({ userId, name }: { userId: string; name?: string | undefined }) {
  return (
    <Anchor component={Link} to={`/console/accounts/${userId}`} title={userId} className="one-line">
      {name ?? <Code c="inherit">{`…${userId.slice(-10)}`}</Code>}
    </Anchor>
  );
}

/** Who a login was for: an account, or an address that has none, of which only a keyed hash is known. */
export function LoginSubject({ userId, subject }: { userId: string | null; subject: string }) {
  if (userId !== null) return <AccountLink userId={userId} />;
  return (
    <span title="An address without an account; repeats have the same keyed hash">
      no account <Code>{subject.slice(0, 8)}</Code>
    </span>
  );
}
