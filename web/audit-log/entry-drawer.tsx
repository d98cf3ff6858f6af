import { Anchor, Code, Drawer, Stack, Text, Title } from '@mantine/core';
import { Link } from 'react-router';
import { SeverityBadge, StatusBadge } from '../parts/badges.tsx';
import { Facts } from '../parts/facts.tsx';
import { Id } from '../parts/id.tsx';
import { Time } from '../parts/time.tsx';
import type { Entry } from './entries.tsx';
import { EntryProof, useEntryProof } from './entry-proof.tsx';

interface EntryDrawerProps {
  /** The entry's number in the chain, or its id while it waits for its seal; null for none. */
  readonly shown: string | null;
  /** As the list has it, where it does. */
  readonly found: Entry | undefined;
  readonly onClose: () => void;
}

/** One entry: what it says, and the proof that it says what was written. */
export function EntryDrawer({ shown, found, onClose }: EntryDrawerProps) {
  return (
    <Drawer
      opened={shown !== null}
      onClose={onClose}
      position="right"
      size="xl"
      title={<Text fw={650}>{shown !== null && /^\d+$/.test(shown) ? `Entry ${shown}` : 'Entry without a seal'}</Text>}
      closeButtonProps={{ 'aria-label': 'Close the entry' }}
    >
      {shown !== null && /^\d+$/.test(shown) && <Sealed key={shown} seq={Number(shown)} id={found?.id} found={found} />}
      {shown !== null && !/^\d+$/.test(shown) && found !== undefined && (
        <Stack>
          <EntryFacts entry={found} />
          <Text size="sm" c="dimmed">
            It waits for its seal: search again in a moment, and there is a proof.
          </Text>
          <EntryText text={JSON.stringify(found)} />
        </Stack>
      )}
    </Drawer>
  );
}

function Sealed({ seq, id, found }: { seq: number; id: string | undefined; found: Entry | undefined }) {
  const proof = useEntryProof(seq, id);
  const text = proof.answer.data?.entry;
  const entry = entryOf(text) ?? found;
  return (
    <Stack>
      {entry !== undefined && <EntryFacts entry={{ ...entry, seq, hash: found?.hash ?? null }} />}
      <EntryProof proof={proof} />
      {typeof text === 'string' && <EntryText text={text} />}
    </Stack>
  );
}

/** The text that was hashed, where it can be read as an entry. */
function entryOf(text: string | null | undefined): Entry | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const entry = JSON.parse(text) as Entry;
    return typeof entry?.action === 'string' && typeof entry.actor?.kind === 'string' ? entry : undefined;
  } catch {
    return undefined;
  }
}

function EntryFacts({ entry }: { entry: Entry }) {
  return (
    <Facts
      facts={[
        [
          'Action',
          <Anchor key="action" component={Link} to={`?action=${entry.action}`}>
            {entry.action}
          </Anchor>,
        ],
        ['Time', <Time key="time" at={entry.at} />],
        ['Outcome', <StatusBadge key="outcome" status={entry.outcome} />],
        ['Severity', entry.severity === undefined ? '–' : <SeverityBadge key="severity" severity={entry.severity} />],
        ['Actor', <Party key="actor" name="actor" {...entry.actor} />],
        ['Subject', <Party key="subject" name="subject" {...entry.subject} />],
        ['Network address', entry.ip],
        ['Browser', entry.userAgent],
        ['Request', entry.requestId && <Id key="request" id={entry.requestId} what="request id" />],
        ['Workflow', entry.workflowId && <Id key="workflow" id={entry.workflowId} what="workflow id" />],
        ['Entry', <Id key="entry" id={entry.id} what="id of the entry" />],
        ['Hash in the chain', entry.hash && <Id key="hash" id={entry.hash} what="hash" />],
      ]}
    />
  );
}

/** Who did it, or whom it is about, with a search for everything else of theirs. */
function Party({ name, kind, id }: { name: 'actor' | 'subject'; kind: string; id?: string }) {
  if (id === undefined) return <>{kind.replaceAll('_', ' ')}</>;
  return (
    <>
      {kind.replaceAll('_', ' ')} <Id id={id} what={`${name}’s id`} />{' '}
      <Anchor component={Link} to={`?${name}=${encodeURIComponent(id)}`} size="sm">
        all of this {name}
      </Anchor>
    </>
  );
}

function EntryText({ text }: { text: string }) {
  return (
    <section aria-label="Text of the entry">
      <Title order={3} size="h5" mb={4}>
        Text
      </Title>
      <Text size="sm" c="dimmed" mb="xs">
        Hashed as canonical JSON (RFC 8785), in one line; broken into lines here to be read.
      </Text>
      {/* A region that scrolls must be reachable by keyboard (WCAG 2.2, 2.1.1). */}
      <Code block tabIndex={0} className="json">
        {pretty(text)}
      </Code>
    </section>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
