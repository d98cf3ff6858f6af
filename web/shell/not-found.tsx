import { Anchor, Stack, Text, Title } from '@mantine/core';
import { Link } from 'react-router';
import { useSession } from '../session/session.tsx';

interface NotFoundProps {
  readonly why?: string;
  /** It is the whole window, and not a page in its frame. */
  readonly alone?: boolean;
}

/** An address without a page, or with one that is not for this person. */
export function NotFound({ why = 'There is no page at this address.', alone = false }: NotFoundProps) {
  const { signOut } = useSession();
  return (
    <Stack component={alone ? 'main' : 'div'} p="xl" align="flex-start">
      <Title order={1} size="h2">
        Not here
      </Title>
      <Text>{why}</Text>
      <Anchor component={Link} to="/">
        To the start
      </Anchor>
      <Anchor component="button" type="button" onClick={() => void signOut()}>
        Sign out
      </Anchor>
    </Stack>
  );
}
