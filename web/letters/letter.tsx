import { Anchor, Button, Code, Paper, Stack, Text, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { client } from '../api.ts';
import type { Body } from '../calls.ts';
import { CodeInput } from '../parts/code-input.tsx';
import { NewPasswordField } from '../parts/credential-fields.tsx';
import { problemText } from '../parts/problem.tsx';
import { QrCode } from '../parts/qr-code.tsx';
import { Refused } from '../parts/refused.tsx';

type Kind = 'confirm' | 'reset-password' | 'recover';

/** The token stands behind `#`, which browsers send to no server; it does not stay in the address or the history. */
function takeToken(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
  // Other addresses keep what stands there: this module is loaded with every page.
  if (token !== '') history.replaceState(null, '', location.pathname);
  return token;
}
/** Once a page: React may render it twice. */
const token = takeToken();

const TITLES: Readonly<Record<Kind, string>> = {
  confirm: 'Confirm your e-mail address',
  'reset-password': 'Choose a new password',
  recover: 'Set up your authenticator',
};

/** What the link of a letter opens: it spends the link's token by one call. */
export function LetterPage({ kind }: { kind: Kind }) {
  const [done, setDone] = useState<string>();
  return (
    <main className="sign-in">
      <Paper withBorder shadow="sm" p="xl" w="100%" maw={440}>
        <Title order={1} size="h2" mb="md">
          {TITLES[kind]}
        </Title>
        {token === '' && <Text role="status">This link is not complete. Open it from the letter once more.</Text>}
        {token !== '' && done === undefined && kind === 'confirm' && <Confirm onDone={setDone} />}
        {token !== '' && done === undefined && kind === 'reset-password' && <ResetPassword onDone={setDone} />}
        {token !== '' && done === undefined && kind === 'recover' && <Recover onDone={setDone} />}
        {done !== undefined && (
          <Stack>
            <Text role="status">{done}</Text>
            <Anchor href="/">Sign in</Anchor>
          </Stack>
        )}
      </Paper>
    </main>
  );
}

interface Step {
  readonly onDone: (said: string) => void;
}

function StepForm({ label, send, children }: { label: string; send: () => Promise<void>; children?: ReactNode }) {
  const sending = useMutation({ mutationFn: send });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        sending.mutate();
      }}
    >
      <Stack>
        {children}
        <Refused error={sending.error} />
        <Button type="submit" loading={sending.isPending}>
          {label}
        </Button>
      </Stack>
    </form>
  );
}

function Confirm({ onDone }: Step) {
  async function send(): Promise<void> {
    await client.confirmAddress({ body: { token } });
    onDone('Your address is confirmed. You can sign in now.');
  }
  return (
    <StepForm label="Confirm" send={send}>
      <Text>Confirm that this e-mail address is yours.</Text>
    </StepForm>
  );
}

function ResetPassword({ onDone }: Step) {
  const [newPassword, setNewPassword] = useState('');
  async function send(): Promise<void> {
    await client.resetPassword({ body: { token, newPassword } });
    onDone('Your password is set, and every session was ended. You can sign in now.');
  }
  return (
    <StepForm label="Set the password" send={send}>
      <NewPasswordField value={newPassword} onChange={(event) => setNewPassword(event.currentTarget.value)} />
    </StepForm>
  );
}

/** Beginning makes a secret, so it is asked for once however often React renders. */
let begun: Promise<Body<'startRecoveryTotp'>> | undefined;

function Recover({ onDone }: Step) {
  const [totp, setTotp] = useState<Body<'startRecoveryTotp'>>();
  const [problem, setProblem] = useState<string>();
  const [code, setCode] = useState('');
  useEffect(() => {
    begun ??= client.startRecoveryTotp({ body: { token } }).then(({ body }) => body);
    begun.then(setTotp, (error: unknown) => setProblem(problemText(error)));
  }, []);
  async function send(): Promise<void> {
    await client.confirmRecoveryTotp({ body: { token, code } });
    onDone('Your authenticator is set up. We open your account now, and write to you when it is done.');
  }
  if (problem !== undefined) return <Text role="status">{problem}</Text>;
  if (totp === undefined) return <Text role="status">Reading the link…</Text>;
  return (
    <StepForm label="Set up the authenticator" send={send}>
      <Text>Scan this with your authenticator app, or enter the key there; then the code that it shows here.</Text>
      <QrCode text={totp.otpauthUri} label="QR code of the key" />
      <Code aria-label="Key">{totp.secret}</Code>
      <CodeInput value={code} onChange={setCode} />
    </StepForm>
  );
}
