import { Alert, Button, Code, Group, Stack, Text, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { fingerprintOf, parseVerifierKey } from '../audit-proof/checkpoint.ts';
import { Section } from '../parts/page.tsx';
import { linesOf, useOwnKeys } from './own-keys.ts';

/**
 * Where the key comes from that checkpoints are held against, and where somebody puts the one they hold.
 *
 * @param served the key that the server names; undefined while there is no checkpoint
 */
export function Keys({ served }: { served: string | undefined }) {
  const { keys, save } = useOwnKeys();
  const [text, setText] = useState(keys.join('\n'));
  const [problem, setProblem] = useState<string>();
  const differs = served !== undefined && keys.length > 0 && !keys.includes(served);

  async function keep(): Promise<void> {
    try {
      for (const line of linesOf(text)) await parseVerifierKey(line);
      setProblem(undefined);
      save(linesOf(text).join('\n'));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }

  return (
    <Section
      title="Key of the log"
      hint={
        keys.length === 0 ? (
          <>
            Signatures are checked with the key that this server gives. Who wants to trust nobody here pastes the key
            that they hold: an operator reads it with <Code>tradeguard audit public-key</Code>.
          </>
        ) : (
          'Signatures are checked with your own keys, which this browser keeps, and with no other.'
        )
      }
    >
      <Stack gap="sm">
        {served !== undefined && <ServedKey served={served} />}
        {differs && (
          <Alert role="alert" color="red" variant="filled" className="alarm" title="The server signs with another key">
            None of your keys is the one that this server names. Unless the key was changed, its checkpoints are not
            from the log that you know.
          </Alert>
        )}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void keep();
          }}
        >
          <Textarea
            label="Your own keys, one a line"
            description="Optional. Verifier keys as <name>+<id>+<base64>"
            autosize
            minRows={1}
            maxRows={4}
            value={text}
            error={problem}
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', overflowWrap: 'anywhere' } }}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Group mt="xs" gap="xs">
            <Button type="submit" size="xs" variant="default">
              Keep in this browser
            </Button>
            {keys.length > 0 && (
              <Button
                size="xs"
                variant="subtle"
                onClick={() => {
                  setText('');
                  setProblem(undefined);
                  save('');
                }}
              >
                Forget my keys
              </Button>
            )}
          </Group>
        </form>
      </Stack>
    </Section>
  );
}

function ServedKey({ served }: { served: string }) {
  const fingerprint = useQuery({
    queryKey: ['audit-key-fingerprint', served],
    queryFn: async () => fingerprintOf(await parseVerifierKey(served)),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <dl className="hashes">
      <div>
        <dt>Key that this server gives</dt>
        <dd>{served}</dd>
      </div>
      <div>
        <dt>Its fingerprint, SHA-256</dt>
        <dd>{fingerprint.data ?? (fingerprint.isError ? 'this is no key' : '…')}</dd>
      </div>
    </dl>
  );
}

/** With which key something was checked. */
export function KeySource({ isOwn }: { isOwn: boolean }) {
  return (
    <Text size="sm" c="dimmed">
      {isOwn
        ? 'Checked in this browser, with your own key.'
        : 'Checked in this browser, with the key that this server gives. Compare it with the one that you hold, or keep yours under Checkpoints.'}
    </Text>
  );
}
