import { Alert, Anchor, Button, Code, Group, Modal, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, useSyncExternalStore } from 'react';
import type { Factor, StepUpChallenge } from '../../client/index.ts';
import { problemText } from '../parts/problem.tsx';
import { QrCode } from '../parts/qr-code.tsx';
import { answerWithPasskey } from './passkey.ts';
import { type OpenChallenge, stepUpStore } from './step-up.ts';

type Method = Factor['method'];

const NAMES: Readonly<Record<Method, string>> = {
  totp: 'Authenticator',
  email_code: 'E-mail',
  webauthn: 'Passkey',
  recovery_code: 'Recovery code',
  security_questions: 'Questions',
};

/** Asks for a second factor wherever the client is asked for one: sign-ins, sensitive calls, transactions. */
export function StepUpDialog() {
  const open = useSyncExternalStore(stepUpStore.subscribe, stepUpStore.current);
  return (
    <Modal
      opened={open !== undefined}
      onClose={() => open?.answer(null)}
      title={open && titleOf(open.challenge)}
      closeOnClickOutside={false}
      centered
    >
      {open && <Question key={open.challenge.triesLeft} open={open} />}
    </Modal>
  );
}

function titleOf({ for: what, enrolment, transaction }: StepUpChallenge): string {
  if (enrolment !== undefined) return 'Set up your authenticator';
  if (transaction !== undefined) {
    return `Confirm: ${transaction.type} of ${transaction.amount ?? '?'} ${transaction.currency}`;
  }
  return what === 'login' ? 'One more proof that it is you' : 'Prove that it is still you';
}

function Question({ open: { challenge, answer } }: { open: OpenChallenge }) {
  const { methods, enrolment, triesLeft } = challenge;
  const [method, setMethod] = useState<Method>(methods[0] ?? 'totp');
  return (
    <Stack>
      {triesLeft !== undefined && (
        <Alert role="alert" color="red" variant="light">
          That was not right. {triesLeft === 1 ? 'One try is left.' : `${triesLeft} tries are left.`}
        </Alert>
      )}
      {enrolment !== undefined && (
        <Stack gap="xs" align="center">
          <Text size="sm">Scan this with an authenticator app, or enter the secret there.</Text>
          <QrCode text={enrolment.otpauthUri} label="QR code of the secret" />
          <Code aria-label="Secret">{enrolment.secret}</Code>
        </Stack>
      )}
      {methods.length > 1 && (
        <SegmentedControl
          aria-label="How to prove it"
          value={method}
          onChange={(value) => setMethod(value as Method)}
          data={methods.map((value) => ({ value, label: NAMES[value] }))}
          fullWidth
        />
      )}
      {(method === 'totp' || method === 'email_code') && (
        <CodeForm key={method} method={method} challenge={challenge} onAnswer={answer} />
      )}
      {method === 'recovery_code' && <RecoveryForm onAnswer={answer} />}
      {method === 'webauthn' && <PasskeyForm challenge={challenge} onAnswer={answer} />}
      {method === 'security_questions' && <QuestionsForm challenge={challenge} onAnswer={answer} />}
    </Stack>
  );
}

interface FormProps {
  readonly onAnswer: (factor: Factor | null) => void;
}
interface ChallengeFormProps extends FormProps {
  readonly challenge: StepUpChallenge;
}

function Buttons({ onAnswer, ready = true, label = 'Confirm' }: FormProps & { ready?: boolean; label?: string }) {
  return (
    <Group justify="flex-end">
      <Button variant="default" onClick={() => onAnswer(null)}>
        Cancel
      </Button>
      <Button type="submit" disabled={!ready}>
        {label}
      </Button>
    </Group>
  );
}

function CodeForm({ method, challenge, onAnswer }: ChallengeFormProps & { method: 'totp' | 'email_code' }) {
  const [code, setCode] = useState('');
  // A login and a transaction send their first code by themselves.
  const [mailed, setMailed] = useState(
    challenge.for === 'session' ? 'A code is sent when you ask for one.' : undefined,
  );
  const mail = () => {
    challenge.mailCode().then(
      () => setMailed('A code is on its way.'),
      (error: unknown) => setMailed(problemText(error)),
    );
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onAnswer({ method, code });
      }}
    >
      <Stack>
        <TextInput
          label="Six-digit code"
          description={method === 'totp' ? 'Your authenticator app shows it' : 'It was sent to you by e-mail'}
          inputMode="numeric"
          autoComplete="one-time-code"
          pattern="[0-9]{6}"
          maxLength={6}
          required
          data-autofocus
          className="code-input"
          value={code}
          onChange={(event) => setCode(event.currentTarget.value.replaceAll(/\D/g, ''))}
        />
        {method === 'email_code' && (
          <Group gap="xs">
            <Anchor component="button" type="button" size="sm" onClick={mail}>
              Send a new code
            </Anchor>
            <Text size="sm" role="status">
              {mailed}
            </Text>
          </Group>
        )}
        <Buttons onAnswer={onAnswer} ready={code.length === 6} />
      </Stack>
    </form>
  );
}

function RecoveryForm({ onAnswer }: FormProps) {
  const [code, setCode] = useState('');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onAnswer({ method: 'recovery_code', code: code.trim() });
      }}
    >
      <Stack>
        <TextInput
          label="One of your recovery codes"
          description="Each is good for one time"
          autoComplete="off"
          required
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        <Buttons onAnswer={onAnswer} />
      </Stack>
    </form>
  );
}

function PasskeyForm({ challenge, onAnswer }: ChallengeFormProps) {
  const [problem, setProblem] = useState<string>();
  async function prove(): Promise<void> {
    setProblem(undefined);
    try {
      const { webauthn } = await challenge.options();
      if (webauthn === undefined) throw new Error('This account has no passkey.');
      onAnswer(await answerWithPasskey(webauthn));
    } catch (error) {
      setProblem(problemText(error));
    }
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void prove();
      }}
    >
      <Stack>
        <Text size="sm">Your browser asks you for the passkey of this account.</Text>
        {problem !== undefined && (
          <Alert role="alert" color="red" variant="light">
            {problem}
          </Alert>
        )}
        <Buttons onAnswer={onAnswer} label="Use a passkey" />
      </Stack>
    </form>
  );
}

function QuestionsForm({ challenge, onAnswer }: ChallengeFormProps) {
  const options = useQuery({ queryKey: ['questions', challenge.for], queryFn: () => challenge.options(), gcTime: 0 });
  const [answers, setAnswers] = useState<Readonly<Record<string, string>>>({});
  const questions = options.data?.securityQuestions ?? [];
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const given = questions.map(({ questionId }) => ({ questionId, answer: answers[questionId] ?? '' }));
        onAnswer({ method: 'security_questions', answers: given });
      }}
    >
      <Stack>
        {options.isError && (
          <Alert role="alert" color="red" variant="light">
            {problemText(options.error)}
          </Alert>
        )}
        {questions.map(({ questionId, question }) => (
          <TextInput
            key={questionId}
            label={question}
            autoComplete="off"
            required
            value={answers[questionId] ?? ''}
            onChange={(event) => setAnswers({ ...answers, [questionId]: event.currentTarget.value })}
          />
        ))}
        <Buttons onAnswer={onAnswer} ready={questions.length > 0} />
      </Stack>
    </form>
  );
}
