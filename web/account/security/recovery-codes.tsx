import { Button, Code, CopyButton, Group, Modal, SimpleGrid, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../calls.ts';
import { Section } from '../../parts/page.tsx';
import { Refused } from '../../parts/refused.tsx';

interface RecoveryCodesProps {
  readonly left: number;
  /** They stand in for an authenticator or a passkey: without one there are none. */
  readonly isPossible: boolean;
}

/** Codes for the day on which the authenticator is lost: shown once, when they are made. */
export function RecoveryCodes({ left, isPossible }: RecoveryCodesProps) {
  const [codes, setCodes] = useState<readonly string[]>();
  const issue = useChange('issueRecoveryCodes', { changes: ['getMfa'], onDone: ({ body }) => setCodes(body.codes) });
  return (
    <Section title="Recovery codes" hint="Each stands in once for a lost authenticator or passkey.">
      <Stack gap="sm" align="flex-start">
        <Text size="sm">{left === 0 ? 'There are none.' : `${left} were not used yet.`}</Text>
        <Refused error={issue.error} />
        {isPossible ? (
          <Button variant="default" loading={issue.isPending} onClick={() => issue.mutate({})}>
            {left === 0 ? 'Make recovery codes' : 'Make new ones; the old stop working'}
          </Button>
        ) : (
          <Text size="sm" c="dimmed">
            Set up an authenticator or a passkey first.
          </Text>
        )}
      </Stack>
      <Modal
        opened={codes !== undefined}
        onClose={() => setCodes(undefined)}
        title="Your recovery codes"
        closeOnClickOutside={false}
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        {codes && <Shown codes={codes} onClose={() => setCodes(undefined)} />}
      </Modal>
    </Section>
  );
}

function Shown({ codes, onClose }: { codes: readonly string[]; onClose: () => void }) {
  const text = `${codes.join('\n')}\n`;
  return (
    <Stack>
      <Text size="sm">
        They are shown now and never again. Keep them where your telephone is not: on paper, or in a password manager.
      </Text>
      <SimpleGrid component="ul" cols={2} spacing="xs" className="plain-list" aria-label="Recovery codes">
        {codes.map((code) => (
          <li key={code}>
            <Code fz="md">{code}</Code>
          </li>
        ))}
      </SimpleGrid>
      <Group justify="space-between">
        <Group gap="xs">
          <CopyButton value={text} timeout={2_000}>
            {({ copied, copy }) => (
              <Button variant="default" onClick={copy}>
                {copied ? 'Copied' : 'Copy'}
              </Button>
            )}
          </CopyButton>
          <Button variant="default" onClick={() => save(text)}>
            Download
          </Button>
        </Group>
        <Button onClick={onClose}>I have kept them</Button>
      </Group>
    </Stack>
  );
}

/** Has the browser save a text as a file; nothing goes over the network. */
function save(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'tradeguard-recovery-codes.txt';
  link.click();
  URL.revokeObjectURL(url);
}
