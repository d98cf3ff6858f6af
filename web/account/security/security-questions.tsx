import { Button, Group, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { useChange } from '../../calls.ts';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { Section } from '../../parts/page.tsx';
import { Refused } from '../../parts/refused.tsx';

const FEWEST = 3;
const MOST = 10;
const CHANGED = ['getMfa'] as const;

interface Line {
  readonly id: number;
  readonly question: string;
  readonly answer: string;
}

const blank = (id: number): Line => ({ id, question: '', answer: '' });

/** Questions that can confirm a transaction beside the other factors; never a sign-in. */
export function SecurityQuestions({ set }: { set: number }) {
  const [lines, setLines] = useState<readonly Line[]>([0, 1, 2].map(blank));
  const store = useChange('setSecurityQuestions', {
    changes: CHANGED,
    onDone: ({ body }) => {
      setLines([0, 1, 2].map(blank));
      notifications.show({ message: `${body.questions} security questions are set.` });
    },
  });
  const remove = useChange('removeSecurityQuestions', { changes: CHANGED });
  const edit = (id: number, change: Partial<Line>) =>
    setLines(lines.map((line) => (line.id === id ? { ...line, ...change } : line)));
  return (
    <Section
      title="Security questions"
      hint="They can confirm a transaction; a sign-in never. Answers that nobody can look up are the good ones."
      actions={
        set > 0 && (
          <ConfirmButton
            label="Remove"
            name="Remove the security questions"
            color="red"
            what="They confirm nothing any more."
            onConfirm={() => remove.mutateAsync({})}
          />
        )
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          store.mutate({ body: { questions: lines.map(({ question, answer }) => ({ question, answer })) } });
        }}
      >
        <Stack gap="sm">
          <Text size="sm">
            {set === 0
              ? 'None are set.'
              : `${set} are set. New ones take their place; the answers are shown to nobody.`}
          </Text>
          {lines.map(({ id, question, answer }, index) => (
            <SimpleGrid key={id} cols={{ base: 1, sm: 2 }} spacing="sm">
              <TextInput
                label={`Question ${index + 1}`}
                minLength={8}
                maxLength={200}
                required
                value={question}
                onChange={(event) => edit(id, { question: event.currentTarget.value })}
              />
              <TextInput
                label={`Answer ${index + 1}`}
                minLength={3}
                maxLength={200}
                autoComplete="off"
                required
                value={answer}
                onChange={(event) => edit(id, { answer: event.currentTarget.value })}
              />
            </SimpleGrid>
          ))}
          <Refused error={store.error} />
          <Group gap="xs">
            <Button type="submit" variant="default" loading={store.isPending}>
              Set these questions
            </Button>
            {lines.length < MOST && (
              <Button
                variant="subtle"
                onClick={() => setLines([...lines, blank(1 + Math.max(...lines.map(({ id }) => id)))])}
              >
                One more
              </Button>
            )}
            {lines.length > FEWEST && (
              <Button variant="subtle" onClick={() => setLines(lines.slice(0, -1))}>
                One less
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
