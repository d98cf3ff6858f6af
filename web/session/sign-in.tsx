import { Alert, Anchor, Button, Paper, PasswordInput, Stack, Tabs, Text, TextInput, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { isProblem } from '../../client/index.ts';
import { client } from '../api.ts';
import { EmailField, NewPasswordField } from '../parts/credential-fields.tsx';
import { problemText } from '../parts/problem.tsx';
import { durationText, useNow } from '../parts/time.tsx';
import { deviceOfThisBrowser } from './device.ts';
import { useSession } from './session.tsx';

/** The way in for everybody: password, then whatever factor the risk of this login asks for; or a new account. */
export function SignIn({ why }: { why?: string }) {
  const [tab, setTab] = useState<string | null>('sign-in');
  const [notice, setNotice] = useState<string | undefined>(why);
  return (
    <main className="sign-in">
      <Paper withBorder shadow="sm" p="xl" w="100%" maw={440}>
        <Title order={1} size="h2" mb="xs">
          Tradeguard
        </Title>
        {notice !== undefined && (
          <Alert role="status" mb="md" color="brand" variant="light">
            {notice}
          </Alert>
        )}
        <Tabs value={tab} onChange={setTab} keepMounted={false}>
          <Tabs.List grow mb="md">
            <Tabs.Tab value="sign-in">Sign in</Tabs.Tab>
            <Tabs.Tab value="register">New account</Tabs.Tab>
            <Tabs.Tab value="forgot">Forgot password</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="sign-in">
            <SignInForm />
          </Tabs.Panel>
          <Tabs.Panel value="register">
            <RegisterForm
              onDone={() => {
                setNotice('Your account is there. We have written to you; sign in once your address is confirmed.');
                setTab('sign-in');
              }}
            />
          </Tabs.Panel>
          <Tabs.Panel value="forgot">
            <ForgotForm
              onDone={() => {
                setNotice('If there is an account with this address, a letter with a link is on its way.');
                setTab('sign-in');
              }}
            />
          </Tabs.Panel>
        </Tabs>
        <Text size="sm" c="dimmed" mt="lg">
          Programs use the API:{' '}
          <Anchor href="/api/docs" underline="always">
            reference
          </Anchor>
          ,{' '}
          <Anchor href="/readme" underline="always">
            README
          </Anchor>
          .
        </Text>
      </Paper>
    </main>
  );
}

/** Why the server would not, and where it says so, how long that lasts. Given a new key for each answer, it counts from its own. */
function Refusal({ error }: { error: unknown }) {
  const waitMs = isProblem(error) ? error.retryAfterMs : undefined;
  const [until] = useState(() => (waitMs === undefined ? undefined : Date.now() + waitMs));
  if (error === null) return null;
  return (
    <Alert role="alert" color="red" variant="light">
      {problemText(error)}
      {until !== undefined && <TimeLeft until={until} />}
    </Alert>
  );
}

function TimeLeft({ until }: { until: number }) {
  const left = until - useNow();
  return (
    <Text size="sm" role="timer">
      {left > 0 ? `Time left: ${durationText(left)}` : 'You can try again now.'}
    </Text>
  );
}

const NOT_PROVEN = 'You are not signed in: the second proof is missing.';

function SignInForm() {
  const { refresh } = useSession();
  const password = useRef<HTMLInputElement>(null);
  const [isUnproven, setUnproven] = useState(false);
  const form = useForm({ initialValues: { email: '', password: '' } });
  const sending = useMutation({
    mutationFn: async (given: typeof form.values) => {
      setUnproven(false);
      try {
        const answer = await client.signIn({ ...given, device: deviceOfThisBrowser() });
        if (answer.status === 200) await refresh();
        else setUnproven(true);
      } catch (cause) {
        // What was typed stays, ready to be typed over.
        if (isProblem(cause, 'invalid_credentials')) password.current?.select();
        throw cause;
      }
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => sending.mutate(values))}>
      <Stack>
        <EmailField data-autofocus {...form.getInputProps('email')} />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          required
          ref={password}
          {...form.getInputProps('password')}
        />
        <Refusal key={sending.failureCount + sending.submittedAt} error={sending.error} />
        {isUnproven && (
          <Alert role="status" color="yellow" variant="light">
            {NOT_PROVEN}
          </Alert>
        )}
        <Button type="submit" loading={sending.isPending}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}

function RegisterForm({ onDone }: { onDone: () => void }) {
  const form = useForm({ initialValues: { fullName: '', email: '', password: '' } });
  const sending = useMutation({
    mutationFn: async (values: typeof form.values) => {
      const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
      await client.register({ body: { ...values, timeZone, device: deviceOfThisBrowser() } });
      onDone();
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => sending.mutate(values))}>
      <Stack>
        <TextInput label="Full name" autoComplete="name" required {...form.getInputProps('fullName')} />
        <EmailField {...form.getInputProps('email')} />
        <NewPasswordField label="Password" {...form.getInputProps('password')} />
        <Refusal key={sending.failureCount + sending.submittedAt} error={sending.error} />
        <Button type="submit" loading={sending.isPending}>
          Open an account
        </Button>
      </Stack>
    </form>
  );
}

function ForgotForm({ onDone }: { onDone: () => void }) {
  const form = useForm({ initialValues: { email: '' } });
  const sending = useMutation({
    mutationFn: async (body: typeof form.values) => {
      await client.forgotPassword({ body });
      onDone();
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => sending.mutate(values))}>
      <Stack>
        <EmailField {...form.getInputProps('email')} />
        <Refusal key={sending.failureCount + sending.submittedAt} error={sending.error} />
        <Button type="submit" loading={sending.isPending}>
          Send a link
        </Button>
      </Stack>
    </form>
  );
}

/** A one-time password lets nothing happen but the choice of another one. */
export function ChooseOwnPassword() {
  const { refresh, signOut } = useSession();
  const form = useForm({ initialValues: { currentPassword: '', newPassword: '' } });
  const sending = useMutation({
    mutationFn: async (body: typeof form.values) => {
      await client.changePassword({ body });
      await refresh();
    },
  });
  return (
    <main className="sign-in">
      <Paper withBorder shadow="sm" p="xl" w="100%" maw={440}>
        <Title order={1} size="h2" mb="xs">
          Choose your password
        </Title>
        <Text c="dimmed" mb="md">
          You signed in with a password that was good for this once.
        </Text>
        <form onSubmit={form.onSubmit((values) => sending.mutate(values))}>
          <Stack>
            <PasswordInput
              label="Password that you were given"
              autoComplete="current-password"
              required
              {...form.getInputProps('currentPassword')}
            />
            <NewPasswordField {...form.getInputProps('newPassword')} />
            <Refusal key={sending.failureCount + sending.submittedAt} error={sending.error} />
            <Button type="submit" loading={sending.isPending}>
              Set the password
            </Button>
            <Button variant="subtle" onClick={() => void signOut()}>
              Sign out
            </Button>
          </Stack>
        </form>
      </Paper>
    </main>
  );
}
