import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { type UseQueryResult, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRead } from '../calls.ts';
import { ConfirmButton } from '../parts/confirm-button.tsx';
import { Facts } from '../parts/facts.tsx';
import { Id } from '../parts/id.tsx';
import { Section } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Refused } from '../parts/refused.tsx';
import { Time } from '../parts/time.tsx';
import { useMe } from '../session/session.tsx';
import {
  type BrowserKey,
  forgetBrowserKey,
  loadBrowserKey,
  makeBrowserKey,
  revokeBrowserKey,
  rotateBrowserKey,
} from './signing-key.ts';

const QUERY = 'browserKey';

/** The key of this browser; as soon as it is there, the client signs with it. */
export function useBrowserKey(): UseQueryResult<BrowserKey | null> {
  const { userId } = useMe();
  return useQuery({ queryKey: [QUERY, userId], queryFn: () => loadBrowserKey(userId), staleTime: Infinity });
}

function useKeyChange<Input>(work: (input: Input) => Promise<BrowserKey | null>) {
  const queries = useQueryClient();
  const { userId } = useMe();
  return useMutation({
    mutationFn: work,
    onSuccess: (key) => queries.setQueryData([QUERY, userId], key),
    onSettled: () => queries.invalidateQueries({ queryKey: ['listSigningKeys'] }),
  });
}

/** What signs here: the key of this browser, or the way to one. */
export function BrowserKeySection() {
  const key = useBrowserKey();
  return (
    <Section
      title="Signing key of this browser"
      hint="What moves money is signed here, by a key that no script can read and that never leaves this browser."
    >
      <Read query={key}>{(found) => (found === null ? <NoKey /> : <OwnKey browserKey={found} />)}</Read>
    </Section>
  );
}

function NoKey() {
  const { userId } = useMe();
  const make = useKeyChange(() => makeBrowserKey(userId));
  return (
    <Stack gap="sm" align="flex-start">
      <Text size="sm">This browser has none yet. Making one asks for a second factor.</Text>
      <Refused error={make.error} />
      <Button onClick={() => make.mutate(undefined)} loading={make.isPending}>
        Make a signing key
      </Button>
    </Stack>
  );
}

function OwnKey({ browserKey }: { browserKey: BrowserKey }) {
  const { keyId, createdAt, userId } = browserKey;
  const known = useRead('getSigningKey', { path: { keyId } });
  const rotate = useKeyChange(() => rotateBrowserKey(browserKey));
  const revoke = useKeyChange(() => revokeBrowserKey(browserKey).then(() => null));
  const forget = useKeyChange(() => forgetBrowserKey(userId).then(() => null));
  if (known.data?.status === 'revoked') {
    return (
      <Stack gap="sm" align="flex-start">
        <Alert role="status" color="yellow" variant="light">
          This key was revoked, here or elsewhere: it signs nothing any more.
        </Alert>
        <Button onClick={() => forget.mutate(undefined)} loading={forget.isPending}>
          Remove it from this browser
        </Button>
      </Stack>
    );
  }
  return (
    <Stack gap="sm">
      <Facts
        facts={[
          ['Key', <Id key="id" id={keyId} what="key id" />],
          ['Made', <Time key="made" at={createdAt} />],
        ]}
      />
      <Refused error={rotate.error} />
      <Group gap="xs">
        <Button variant="default" onClick={() => rotate.mutate(undefined)} loading={rotate.isPending}>
          Rotate
        </Button>
        <ConfirmButton
          label="Revoke"
          color="red"
          what="The key stops working at once. To move money here again you make another one."
          onConfirm={() => revoke.mutateAsync(undefined)}
        />
      </Group>
    </Stack>
  );
}
