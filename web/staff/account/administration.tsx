import { Group, NativeSelect, SimpleGrid, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { type ReactNode, useState } from 'react';
import { type Body, useChange } from '../../calls.ts';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { optionsOf } from '../../parts/filters.tsx';
import { Section } from '../../parts/page.tsx';
import { useMe } from '../../session/session.tsx';
import type { Account } from '../account.tsx';
import { ASSIGNABLE, type Assignable } from './add-person.tsx';
import { OneTimePassword } from './one-time-password.tsx';
import { ACCOUNT_READS } from './reads.ts';

type Tier = Body<'changeUser'>['tier'];
const TIERS: readonly Tier[] = ['basic', 'standard', 'premium'];

/** What an administrator changes about a person; each needs a fresh factor. */
export function Administration({ account }: { account: Account }) {
  const { userId: own } = useMe();
  const isOwn = account.userId === own;
  return (
    <Section title="Administration" hint="Each change needs a fresh factor of yours.">
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg" verticalSpacing="lg">
        {account.role !== 'importer' && <Role key={account.role} account={account} role={account.role} />}
        {!isOwn && <Limits key={account.tier} account={account} />}
        <Password account={account} />
        <Authenticator account={account} />
        {!isOwn && <Disabling account={account} />}
      </SimpleGrid>
    </Section>
  );
}

function Change({ hint, children }: { hint: string; children: ReactNode }) {
  return (
    <Stack gap={4}>
      <Group align="end" gap="xs">
        {children}
      </Group>
      <Text size="xs" c="dimmed">
        {hint}
      </Text>
    </Stack>
  );
}

function useChangeUser(account: Account) {
  const change = useChange('changeUser', { changes: ACCOUNT_READS });
  return async (body: Parameters<typeof change.mutateAsync>[0]['body'], done: string): Promise<void> => {
    await change.mutateAsync({ path: { id: account.userId }, body });
    notifications.show({ message: done, color: 'green' });
  };
}

function Role({ account, role }: { account: Account; role: Assignable }) {
  const [chosen, setChosen] = useState<Assignable>(role);
  const change = useChangeUser(account);
  const { email } = account;
  return (
    <Change hint="Their sessions end.">
      <NativeSelect
        label="Role"
        data={optionsOf(ASSIGNABLE)}
        value={chosen}
        onChange={(event) => setChosen(event.currentTarget.value as Assignable)}
      />
      {chosen !== role && (
        <ConfirmButton
          label="Change role"
          what={`${email} becomes ${chosen}, and is signed out everywhere.`}
          onConfirm={() => change({ role: chosen }, `${email} is ${chosen} now.`)}
        />
      )}
    </Change>
  );
}

function Limits({ account }: { account: Account }) {
  const { email, tier } = account;
  const [chosen, setChosen] = useState<Tier>(tier);
  const change = useChangeUser(account);
  return (
    <Change hint="Which limits hold for what they move.">
      <NativeSelect
        label="Limits"
        data={optionsOf(TIERS)}
        value={chosen}
        onChange={(event) => setChosen(event.currentTarget.value as Tier)}
      />
      {chosen !== tier && (
        <ConfirmButton
          label="Change limits"
          what={`The limits of the ${chosen} tier hold for ${email} from now on.`}
          onConfirm={() => change({ tier: chosen }, `${email} has the limits of the ${chosen} tier.`)}
        />
      )}
    </Change>
  );
}

function Password({ account: { userId, email } }: { account: Account }) {
  const [password, setPassword] = useState<string>();
  const reset = useChange('resetUserPassword', { changes: ACCOUNT_READS });
  return (
    <Change hint="A one-time password takes the place of theirs; their sessions end.">
      <ConfirmButton
        label="Reset password"
        what={`${email} is signed out everywhere, and signs in again with a one-time password that you hand over.`}
        onConfirm={async () => {
          const { body } = await reset.mutateAsync({ path: { id: userId } });
          setPassword(body.oneTimePassword);
        }}
      />
      <OneTimePassword
        shown={password === undefined ? undefined : { email, password }}
        onClose={() => setPassword(undefined)}
      />
    </Change>
  );
}

function Authenticator({ account: { userId, email, factors } }: { account: Account }) {
  const reset = useChange('resetUserMfa', { changes: ACCOUNT_READS });
  if (!factors.includes('totp')) return null;
  return (
    <Change hint="For somebody who lost theirs; their sessions end.">
      <ConfirmButton
        label="Take the authenticator away"
        color="red"
        what={`${email} is signed out everywhere, and enrols a new authenticator.`}
        onConfirm={async () => {
          await reset.mutateAsync({ path: { id: userId } });
          notifications.show({ message: `The authenticator of ${email} is gone.`, color: 'green' });
        }}
      />
    </Change>
  );
}

function Disabling({ account }: { account: Account }) {
  const change = useChangeUser(account);
  const { email, disabled } = account;
  return (
    <Change hint={disabled ? 'They may sign in again.' : 'Nobody signs in any more; their sessions end.'}>
      <ConfirmButton
        label={disabled ? 'Enable' : 'Disable'}
        {...(disabled ? {} : { color: 'red' })}
        what={disabled ? `${email} may sign in again.` : `${email} cannot sign in any more. Nothing is deleted.`}
        onConfirm={() => change({ disabled: !disabled }, `${email} is ${disabled ? 'enabled' : 'disabled'}.`)}
      />
    </Change>
  );
}
