import { Alert, Anchor, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { lazy, Suspense, useMemo, useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import { useChange, useRead } from '../calls.ts';
import { problemText } from '../parts/problem.tsx';
import { Loading } from '../parts/read.tsx';
import type { EditorHandle } from './editor.tsx';
import { firstFault, lineOf, rangeOf } from './pointer.ts';

export const Editor = lazy(() => import('./editor.tsx'));

/** From the last key until the server is asked: it answers so many checks a minute. */
const CHECK_AFTER_MS = 2_000;

interface Fault {
  readonly from: number;
  readonly to: number;
  readonly pointer: string;
  readonly message: string;
}

/** Writes a new version, beginning with the document of another one: checked while it is written, saved as a draft. */
export function Draft({ version, document }: { version: string; document: Readonly<Record<string, unknown>> }) {
  const initial = useMemo(() => JSON.stringify(document, null, 2), [document]);
  const [text, setText] = useState(initial);
  const [name, setName] = useState('');
  const [settled] = useDebouncedValue(text, CHECK_AFTER_MS);
  const editor = useRef<EditorHandle>(null);
  const navigate = useNavigate();
  const check = useCheck(text, settled);
  const save = useChange('saveRuleSet', {
    changes: ['listRuleSets'],
    onDone: ({ body }) => void navigate(`/console/rule-sets/${body.version}`),
  });
  const isChanged = text !== initial;

  function keep(): void {
    save.mutate({
      body: { document: JSON.parse(text), ...(name.trim() === '' ? {} : { version: name.trim() }) },
    });
  }

  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        Begins as {version} stands. A saved version is never changed again: it gets a name of its own.
      </Text>
      <Suspense fallback={<Loading />}>
        <Editor
          label="Document of the new version"
          initial={initial}
          onChange={setText}
          faults={check.faults}
          handle={editor}
        />
      </Suspense>
      <Faults text={text} check={check} onShow={(fault) => editor.current?.show(fault)} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          keep();
        }}
      >
        <Group align="flex-end">
          <TextInput
            label="Name of the new version"
            description="Optional: it is numbered otherwise"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={40}
          />
          <Button type="submit" loading={save.isPending} disabled={!isChanged || check.state === 'no_json'}>
            Save as a draft
          </Button>
        </Group>
        {save.isError && (
          <Alert role="alert" color="red" variant="light" mt="sm" title="Not saved">
            {problemText(save.error)}
          </Alert>
        )}
      </form>
    </Stack>
  );
}

type Check = {
  readonly state: 'no_json' | 'checking' | 'valid' | 'faulty' | 'unknown';
  readonly faults: readonly Fault[];
  readonly error?: unknown;
};

/** What is wrong with a text: that it is no JSON at once, anything else when the server has looked at it. */
function useCheck(text: string, settled: string): Check {
  const syntax = useMemo(() => firstFault(text), [text]);
  const parsed = useMemo(() => documentOf(settled), [settled]);
  const read = useRead(
    'checkRuleSet',
    { body: { document: parsed ?? {} } },
    { enabled: parsed !== undefined && syntax === undefined },
  );
  const found = read.data;
  const faults = useMemo(
    () =>
      syntax === undefined
        ? (found?.faults ?? []).map(({ pointer, message, position }) => ({
            ...rangeOf(settled, pointer, position),
            pointer,
            message,
          }))
        : [{ ...syntax, pointer: '' }],
    [syntax, found, settled],
  );
  if (syntax !== undefined) return { state: 'no_json', faults };
  if (parsed === undefined)
    return { state: 'no_json', faults: [{ from: 0, to: 1, pointer: '', message: 'A rule set is an object' }] };
  if (read.isError) return { state: 'unknown', faults: [], error: read.error };
  if (text !== settled || found === undefined) return { state: 'checking', faults: [] };
  return { state: found.valid ? 'valid' : 'faulty', faults };
}

function documentOf(text: string): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === 'object' && document !== null && !Array.isArray(document)
      ? (document as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function Faults({ text, check, onShow }: { text: string; check: Check; onShow: (fault: Fault) => void }) {
  const { state, faults, error } = check;
  return (
    <section aria-label="Check of the document" aria-live="polite">
      {state === 'checking' && (
        <Text size="sm" c="dimmed">
          It is checked when you stop writing.
        </Text>
      )}
      {state === 'unknown' && (
        <Text size="sm" c="var(--mantine-color-error)">
          It could not be checked: {problemText(error)}
        </Text>
      )}
      {state === 'valid' && (
        <Text size="sm" fw={600} c="light-dark(var(--mantine-color-green-9), var(--mantine-color-green-4))">
          No fault was found: it can be saved.
        </Text>
      )}
      {faults.length > 0 && (
        <Alert color="red" variant="light" title={faults.length === 1 ? 'One fault' : `${faults.length} faults`}>
          <ul className="faults">
            {faults.map((fault) => {
              const { line, column } = lineOf(text, fault.from);
              return (
                <li key={`${fault.pointer} ${fault.from} ${fault.message}`}>
                  <Anchor component="button" type="button" onClick={() => onShow(fault)}>
                    line {line}, column {column}
                  </Anchor>{' '}
                  {fault.pointer !== '' && <code>{fault.pointer}</code>} {fault.message}
                </li>
              );
            })}
          </ul>
        </Alert>
      )}
    </section>
  );
}
