import { Anchor, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import type { Factor } from '../../client/index.ts';
import { CodeInput } from '../parts/code-input.tsx';
import { problemText } from '../parts/problem.tsx';
import { Refused } from '../parts/refused.tsx';
import { answerWithPasskey, passkeyProblem } from './passkey.ts';
import type { OpenChallenge } from './step-up.ts';

interface FormProps {
  readonly open: OpenChallenge;
}

interface FactorFormProps extends FormProps {
  readonly ready?: boolean;
  readonly label?: string;
  readonly problem?: string | undefined;
  /** @returns the factor to send; undefined where there is none yet */
  readonly factor: () => Factor | undefined | Promise<Factor | undefined>;
  readonly children: ReactNode;
}

/** One way to answer a challenge, with its buttons. */
function FactorForm({ open, ready = true, label = 'Confirm', problem, factor, children }: FactorFormProps) {
  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (open.busy) return;
    const given = await factor();
    if (given !== undefined) open.answer(given);
  }
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        {children}
        <Refused error={problem} text={String} />
        <Group justify="flex-end">
          <Button variant="default" onClick={() => open.answer(null)}>
            Cancel
          </Button>
          <Button type="submit" disabled={!ready} loading={open.busy}>
            {label}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Puts the focus on a field when its form appears. */
function useFocus<T extends HTMLElement>() {
  const field = useRef<T>(null);
  useEffect(() => field.current?.focus(), []);
  return field;
}

/** A code of six digits, from the authenticator app or from a letter. */
export function CodeForm({ open, method }: FormProps & { method: 'totp' | 'email_code' }) {
  const { challenge } = open;
  const [code, setCode] = useState('');
  // A sign-in and a transaction send their first code by themselves.
  const isSent = challenge.for !== 'session' || challenge.triesLeft !== undefined;
  const [mail, setMail] = useState<{ said?: string; sent: boolean }>({ sent: isSent });
  const field = useFocus<HTMLInputElement>();
  const send = () => {
    challenge.mailCode().then(
      () => {
        setMail({ said: 'A code is on its way.', sent: true });
        field.current?.focus();
      },
      (error: unknown) => setMail({ said: problemText(error), sent: mail.sent }),
    );
  };
  return (
    <FactorForm open={open} ready={code.length === 6} factor={() => ({ method, code })}>
      {method === 'email_code' && !mail.sent && (
        <Button variant="light" onClick={send}>
          Send a code to my e-mail address
        </Button>
      )}
      <CodeInput
        ref={field}
        description={method === 'totp' ? 'Your authenticator app shows it' : 'It is sent to you by e-mail'}
        value={code}
        onChange={setCode}
      />
      {method === 'email_code' && (
        <Group gap="xs">
          {mail.sent && (
            <Anchor component="button" type="button" size="sm" onClick={send}>
              Send a new code
            </Anchor>
          )}
          <Text size="sm" role="status">
            {mail.said}
          </Text>
        </Group>
      )}
    </FactorForm>
  );
}

export function RecoveryForm({ open }: FormProps) {
  const [code, setCode] = useState('');
  const field = useFocus<HTMLInputElement>();
  return (
    <FactorForm open={open} ready={code.trim() !== ''} factor={() => ({ method: 'recovery_code', code: code.trim() })}>
      <TextInput
        ref={field}
        data-autofocus
        label="One of your recovery codes"
        description="Each is good for one time"
        autoComplete="off"
        spellCheck={false}
        required
        value={code}
        onChange={(event) => setCode(event.currentTarget.value)}
      />
    </FactorForm>
  );
}

export function PasskeyForm({ open }: FormProps) {
  const [problem, setProblem] = useState<string>();
  async function prove(): Promise<Factor | undefined> {
    setProblem(undefined);
    try {
      const { webauthn } = await open.challenge.options();
      if (webauthn === undefined) throw new Error('This account has no passkey.');
      return await answerWithPasskey(webauthn);
    } catch (error) {
      setProblem(passkeyProblem(error));
      return undefined;
    }
  }
  return (
    <FactorForm open={open} label="Use a passkey" problem={problem} factor={prove}>
      <Text size="sm">Your browser asks you for the passkey of this account.</Text>
    </FactorForm>
  );
}

export function QuestionsForm({ open }: FormProps) {
  const { challenge, id } = open;
  const options = useQuery({ queryKey: ['questions', id], queryFn: () => challenge.options(), gcTime: 0 });
  const [answers, setAnswers] = useState<Readonly<Record<string, string>>>({});
  const questions = options.data?.securityQuestions ?? [];
  return (
    <FactorForm
      open={open}
      ready={questions.length > 0}
      problem={options.isError ? problemText(options.error) : undefined}
      factor={() => ({
        method: 'security_questions',
        answers: questions.map(({ questionId }) => ({ questionId, answer: answers[questionId] ?? '' })),
      })}
    >
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
    </FactorForm>
  );
}
