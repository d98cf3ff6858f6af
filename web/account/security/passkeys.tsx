import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { client } from '../../api.ts';
import { type Body, useChange, useRead } from '../../calls.ts';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Section } from '../../parts/page.tsx';
import { Read } from '../../parts/read.tsx';
import { Refused } from '../../parts/refused.tsx';
import { Time } from '../../parts/time.tsx';
import { hasPasskeys, makePasskey, passkeyProblem } from '../../session/passkey.ts';

type Passkey = Body<'listPasskeys'>['passkeys'][number];
const CHANGED = ['listPasskeys', 'getMfa'] as const;

/** Passkeys of the account: in a telephone, in the computer, on a security key. */
export function Passkeys() {
  const list = useRead('listPasskeys', {});
  const remove = useChange('removePasskey', { changes: CHANGED });
  const columns: readonly Column<Passkey>[] = [
    { title: 'Name', cell: ({ name }) => name },
    { title: 'Added', cell: ({ createdAt }) => <Time at={createdAt} day /> },
    { title: 'Last used', cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : <Time at={lastUsedAt} day />) },
    {
      title: 'Action',
      cell: ({ passkeyId, name }) => (
        <ConfirmButton
          label="Remove"
          name={`Remove the passkey ${name}`}
          size="xs"
          color="red"
          what="It signs you in no more. What your device keeps of it, remove there."
          onConfirm={() => remove.mutateAsync({ path: { passkeyId } })}
        />
      ),
    },
  ];
  return (
    <Section
      title="Passkeys"
      hint="Sign in with a fingerprint, a face or a security key: nothing to type, nothing to phish."
    >
      <Stack gap="sm">
        <Read query={list}>
          {({ passkeys }) => (
            <DataTable
              label="Passkeys"
              columns={columns}
              rows={passkeys}
              keyOf={({ passkeyId }) => passkeyId}
              empty="There are none yet."
            />
          )}
        </Read>
        {hasPasskeys() ? <AddPasskey /> : <Text size="sm">This browser knows no passkeys.</Text>}
      </Stack>
    </Section>
  );
}

function AddPasskey() {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const add = useMutation({
    mutationFn: async () => {
      const { body } = await client.beginPasskey();
      const credential = await makePasskey(body);
      await client.registerPasskey({ body: { name: name.trim(), credential } });
    },
    onSuccess: () => setName(''),
    onSettled: () => Promise.all(CHANGED.map((changed) => queries.invalidateQueries({ queryKey: [changed] }))),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        add.mutate();
      }}
    >
      <Stack gap="sm">
        <Group align="flex-end" gap="xs">
          <TextInput
            label="Name of the new passkey"
            placeholder="My telephone"
            maxLength={60}
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Button type="submit" variant="default" loading={add.isPending}>
            Add a passkey
          </Button>
        </Group>
        <Refused error={add.error} text={passkeyProblem} />
      </Stack>
    </form>
  );
}
