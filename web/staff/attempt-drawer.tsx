import { Drawer, Stack, Text, Title } from '@mantine/core';
import { LoginSubject } from '../parts/account-link.tsx';
import { Score, StatusBadge } from '../parts/badges.tsx';
import { Facts } from '../parts/facts.tsx';
import { Id } from '../parts/id.tsx';
import { Time } from '../parts/time.tsx';
import type { Attempt } from './attempts.tsx';
import { LoginReasons } from './login-reasons.tsx';
import { coordinatesText, placeText } from './place-text.ts';

interface AttemptDrawerProps {
  /** The login that is looked at; null closes. */
  readonly loginId: string | null;
  /** It itself, where the list has it. */
  readonly attempt: Attempt | undefined;
  readonly onClose: () => void;
}

/** One login with everything that its score was made of. */
export function AttemptDrawer({ loginId, attempt, onClose }: AttemptDrawerProps) {
  return (
    <Drawer opened={loginId !== null} onClose={onClose} position="right" size="lg" title="Login attempt">
      {attempt === undefined ? (
        <Text size="sm">This login is not among those of the list any more.</Text>
      ) : (
        <Stack>
          <Facts facts={factsOf(attempt)} />
          <Title order={3} size="h5">
            Every rule
          </Title>
          <LoginReasons reasons={attempt.reasons} />
        </Stack>
      )}
    </Drawer>
  );
}

function factsOf(attempt: Attempt): readonly (readonly [string, React.ReactNode])[] {
  const { place } = attempt;
  return [
    ['Outcome', <StatusBadge key="outcome" status={attempt.status} />],
    ['Score', <Score key="score" value={attempt.score} />],
    ['Account', <LoginSubject key="account" {...attempt} />],
    ['Began', <Time key="began" at={attempt.startedAt} />],
    ['Ended', <Time key="ended" at={attempt.finishedAt} />],
    ['Place', place === null ? 'unknown' : `${placeText(place)}; ${coordinatesText(place)}`],
    ['Address', attempt.ip],
    ['Network', attempt.network],
    ['Device', attempt.deviceFinding?.replaceAll('_', ' ')],
    ['Browser', attempt.userAgent],
    ['Rule set', attempt.ruleSetVersion],
    ['Login', <Id key="id" id={attempt.loginId} what="id of the login" />],
  ];
}
