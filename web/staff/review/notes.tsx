import { Alert, Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { type FormEvent, type Ref, useState } from 'react';
import { useChange } from '../../calls.ts';
import { Person } from '../../parts/people.tsx';
import { problemText } from '../../parts/problem.tsx';
import { Time } from '../../parts/time.tsx';
import type { Case } from './case.ts';

interface NotesProps {
  readonly held: Case;
  readonly mayWrite: boolean;
  readonly field: Ref<HTMLTextAreaElement>;
}

/** What colleagues have noted, and a field for the next note: notes are never changed. */
export function Notes({ held, mayWrite, field }: NotesProps) {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<string>();
  const add = useChange('addReviewNote', { changes: ['getReview'] });

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (add.isPending) return;
    setProblem(undefined);
    try {
      await add.mutateAsync({ path: { transactionId: held.transactionId }, body: { text } });
      setText('');
    } catch (error) {
      setProblem(problemText(error));
    }
  }

  return (
    <Stack gap="sm">
      {held.notes.length === 0 ? (
        <Text size="sm" c="dimmed">
          No notes yet.
        </Text>
      ) : (
        <ul className="entries" aria-label="Notes">
          {held.notes.map((note) => (
            <li key={note.noteId}>
              <Text size="xs" c="dimmed">
                <Person id={note.authorId} />, <Time at={note.at} />
              </Text>
              <Text size="sm" className="written">
                {note.text}
              </Text>
            </li>
          ))}
        </ul>
      )}
      {mayWrite && (
        <form onSubmit={(event) => void submit(event)} aria-busy={add.isPending}>
          <Stack gap="xs">
            <Textarea
              ref={field}
              label="New note"
              required
              maxLength={4000}
              autosize
              minRows={2}
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
            />
            {problem !== undefined && (
              <Alert role="alert" color="red" variant="light">
                {problem}
              </Alert>
            )}
            <Group justify="flex-end">
              <Button type="submit" size="xs" variant="default">
                Add the note
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Stack>
  );
}
