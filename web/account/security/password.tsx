import { Button, PasswordInput, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useChange } from '../../calls.ts';
import { NewPasswordField } from '../../parts/credential-fields.tsx';
import { Section } from '../../parts/page.tsx';
import { Refused } from '../../parts/refused.tsx';

export function Password() {
  const form = useForm({ initialValues: { currentPassword: '', newPassword: '' } });
  const change = useChange('changePassword', {
    changes: ['listSessions'],
    onDone: () => {
      form.reset();
      notifications.show({ message: 'Your password is changed. All other sessions were ended.' });
    },
  });
  return (
    <Section title="Password" hint="Changing it ends every other session.">
      <form onSubmit={form.onSubmit((body) => change.mutate({ body }))}>
        <Stack gap="sm" maw={420}>
          <PasswordInput
            label="Current password"
            autoComplete="current-password"
            required
            {...form.getInputProps('currentPassword')}
          />
          <NewPasswordField {...form.getInputProps('newPassword')} />
          <Refused error={change.error} />
          <Button type="submit" variant="default" loading={change.isPending}>
            Change the password
          </Button>
        </Stack>
      </form>
    </Section>
  );
}
