import { Alert, Button, Group, Modal, NativeSelect, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import { useChange } from '../../calls.ts';
import { optionsOf } from '../../parts/filters.tsx';
import { problemText } from '../../parts/problem.tsx';
import { OneTimePassword } from './one-time-password.tsx';

/** Roles that an administrator gives. */
export const ASSIGNABLE = ['customer', 'reviewer', 'admin', 'auditor'] as const;
export type Assignable = (typeof ASSIGNABLE)[number];

/** Adds somebody with a one-time password. */
export function AddPerson() {
  const [opened, { open, close }] = useDisclosure();
  const [added, setAdded] = useState<{ email: string; password: string }>();
  const create = useChange('createUser', { changes: ['listAccounts'] });
  const form = useForm<{ email: string; fullName: string; role: Assignable }>({
    initialValues: { email: '', fullName: '', role: 'reviewer' },
  });

  const submit = form.onSubmit((body) =>
    create.mutate(
      { body },
      {
        onSuccess: ({ body: { email, oneTimePassword } }) => {
          close();
          form.reset();
          setAdded({ email, password: oneTimePassword });
        },
      },
    ),
  );

  return (
    <>
      <Button size="sm" onClick={open}>
        Add a person
      </Button>
      <Modal opened={opened} onClose={close} title="Add a person" centered>
        <form onSubmit={submit}>
          <Stack>
            <TextInput
              type="email"
              label="E-mail address"
              required
              data-autofocus
              autoComplete="off"
              {...form.getInputProps('email')}
            />
            <TextInput label="Full name" required maxLength={200} {...form.getInputProps('fullName')} />
            <NativeSelect label="Role" data={optionsOf(ASSIGNABLE)} {...form.getInputProps('role')} />
            {create.isError && (
              <Alert role="alert" color="red" variant="light">
                {problemText(create.error)}
              </Alert>
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" loading={create.isPending}>
                Add
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
      <OneTimePassword shown={added} onClose={() => setAdded(undefined)} />
    </>
  );
}
