import { Badge, Group, Progress, SegmentedControl, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { type Body, type Item, useChange, usePages, useRead } from '../calls.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { ConfirmButton } from '../parts/confirm-button.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Figures } from '../parts/facts.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Problem } from '../parts/problem.tsx';
import { Read } from '../parts/read.tsx';
import { Ago, Time, useNow } from '../parts/time.tsx';
import { useIsOperator } from './backup-runs.tsx';

type Keys = Body<'listKeys'>;
type Key = Keys['keys'][number];
type Secret = Keys['secrets'][number];
type Rotation = Item<'listKeyRotations'>;

const CHANGED = ['listKeys', 'listKeyRotations'] as const;
const SCOPES = { all: 'All keys', field: 'Fields of the database', session: 'Sessions and tokens' } as const;

/** The keys that the program renews by itself, and the age of those that only people can renew. No key is shown. */
export default function KeysPage() {
  const isOperator = useIsOperator();
  const keys = useRead('listKeys', {});
  const rotations = usePages('listKeyRotations', { query: { limit: 50 } });
  const running = rotations.items.find(({ status }) => status === 'running');
  return (
    <Page title="Keys" actions={isOperator && <RotateNow />}>
      {rotations.isError && <Problem error={rotations.error} onRetry={() => void rotations.refetch()} />}
      <Read query={keys}>
        {(found) => (
          <>
            <Summary keys={found} rotations={rotations.items} />
            {running && <RunningRotation rotation={running} />}
            <Section
              title="Rotations"
              hint="New keys are made, and fields re-encrypted under them while everything goes on."
            >
              <DataTable
                label="Rotations"
                columns={ROTATIONS}
                rows={rotations.items}
                keyOf={({ rotationId }) => rotationId}
                empty="None has run yet."
                more={{
                  has: rotations.hasNextPage,
                  busy: rotations.isFetchingNextPage || rotations.isLoading,
                  read: rotations.more,
                }}
              />
            </Section>
            <Section
              title="Generations"
              hint="Keys that look things up are never renewed: nothing stored would be found again."
            >
              <DataTable label="Generations of keys" columns={KEYS} rows={found.keys} keyOf={({ keyId }) => keyId} />
            </Section>
            <Section
              title="Secrets from outside"
              hint="They stand in the configuration; only who runs the installation can change them."
            >
              <DataTable
                label="Secrets from outside"
                columns={SECRETS}
                rows={found.secrets}
                keyOf={({ name }) => name}
              />
            </Section>
          </>
        )}
      </Read>
    </Page>
  );
}

function Summary({ keys: { keys, secrets }, rotations }: { keys: Keys; rotations: readonly Rotation[] }) {
  const active = keys.find(({ purpose, state }) => purpose === 'field' && state === 'active');
  const session = keys.find(({ purpose, state }) => purpose === 'session' && state === 'active');
  const last = rotations.find(({ status }) => status === 'succeeded');
  const oldest = secrets.toSorted((a, b) => b.ageDays - a.ageDays)[0];
  return (
    <Figures
      figures={[
        {
          label: 'Key of fields',
          value: active ? <Ago at={active.activeFrom} /> : 'none',
          ...(active ? { hint: `Generation ${active.version}` } : {}),
        },
        {
          label: 'Key of sessions',
          value: session ? <Ago at={session.activeFrom} /> : 'none',
          ...(session ? { hint: `Generation ${session.version}` } : {}),
        },
        { label: 'Last rotation', value: last ? <Ago at={last.finishedAt} /> : 'none' },
        {
          label: 'Fields unreadable',
          value: last?.fieldsUnreadable ?? 0,
          alarm: (last?.fieldsUnreadable ?? 0) > 0,
          hint: 'In the last rotation',
        },
        { label: 'Oldest outside secret', value: oldest ? `${oldest.ageDays} d` : '–', hint: oldest?.name },
      ]}
    />
  );
}

/** Scope and consequence of a rotation, asked once more before it begins; the fresh factor is asked for by itself. */
function RotateNow() {
  const [scope, setScope] = useState<Rotation['scope']>('all');
  const rotate = useChange('startKeyRotation', { changes: CHANGED });
  return (
    <ConfirmButton
      label="Rotate now"
      variant="filled"
      what="New keys take over in a moment. Sessions go on, fields are re-encrypted one by one, and old keys are kept for as long as something needs them."
      onConfirm={() => rotate.mutateAsync({ body: { scope } })}
    >
      <SegmentedControl
        aria-label="Which keys"
        orientation="vertical"
        value={scope}
        onChange={(value) => setScope(value as Rotation['scope'])}
        data={Object.entries(SCOPES).map(([value, label]) => ({ value, label }))}
      />
    </ConfirmButton>
  );
}

function RunningRotation({ rotation }: { rotation: Rotation }) {
  const { rotationId, activeFrom, fieldsTotal, fieldsDone } = rotation;
  const isOperator = useIsOperator();
  const now = useNow();
  const cancel = useChange('cancelKeyRotation', { changes: CHANGED });
  const isActive = Date.parse(activeFrom) <= now;
  return (
    <Section
      title="Running now"
      actions={
        isOperator && (
          <ConfirmButton
            label="Stop"
            name="Stop the rotation"
            size="xs"
            color="red"
            what="The new keys stay; the next rotation re-encrypts what is left."
            onConfirm={() => cancel.mutateAsync({ path: { rotationId } })}
          />
        )
      }
    >
      <Stack gap="xs">
        <Text size="sm" role="status">
          {isActive
            ? 'The new keys are in use.'
            : 'The new keys are made; every process learns them before they are used.'}{' '}
          {fieldsTotal === null
            ? 'Fields are counted.'
            : `${fieldsDone.toLocaleString()} of ${fieldsTotal.toLocaleString()} fields are re-encrypted.`}
        </Text>
        <Progress value={percent(rotation)} animated={isActive} size="md" aria-label="Fields re-encrypted" />
      </Stack>
    </Section>
  );
}

const percent = ({ fieldsTotal, fieldsDone }: Rotation): number =>
  fieldsTotal === null ? 0 : fieldsTotal === 0 ? 100 : (100 * fieldsDone) / fieldsTotal;

const ROTATIONS: readonly Column<Rotation>[] = [
  { title: 'Begun', cell: ({ startedAt }) => <Time at={startedAt} /> },
  { title: 'Status', cell: ({ status, reason }) => <StatusBadge status={status} code={reason} /> },
  { title: 'Keys', cell: ({ scope }) => SCOPES[scope] },
  { title: 'Asked for by', cell: ({ trigger }) => trigger },
  { title: 'New keys used from', cell: ({ activeFrom }) => <Time at={activeFrom} /> },
  {
    title: 'Fields re-encrypted',
    numeric: true,
    cell: ({ fieldsDone, fieldsTotal }) =>
      fieldsTotal === null ? '–' : `${fieldsDone.toLocaleString()} of ${fieldsTotal.toLocaleString()}`,
  },
  { title: 'Unreadable', numeric: true, cell: ({ fieldsUnreadable }) => fieldsUnreadable.toLocaleString() },
  { title: 'Ended', cell: ({ finishedAt }) => <Time at={finishedAt} /> },
];

const KEYS: readonly Column<Key>[] = [
  { title: 'Purpose', cell: ({ purpose }) => purpose.replaceAll('-', ' ') },
  { title: 'Generation', numeric: true, cell: ({ version }) => version },
  {
    title: 'State',
    cell: ({ state, rotated }) => (
      <Group gap={6} wrap="nowrap">
        <StatusBadge status={state} />
        {!rotated && (
          <Badge variant="outline" color="gray" className="badge">
            never renewed
          </Badge>
        )}
      </Group>
    ),
  },
  { title: 'Made', cell: ({ createdAt }) => <Time at={createdAt} /> },
  { title: 'In use since', cell: ({ activeFrom, state }) => (state === 'active' ? <Ago at={activeFrom} /> : '–') },
  { title: 'Retired', cell: ({ retiredAt }) => <Time at={retiredAt} /> },
];

const SECRETS: readonly Column<Secret>[] = [
  { title: 'Name', cell: ({ name }) => name },
  { title: 'Since', cell: ({ since }) => <Time at={since} day /> },
  { title: 'Age', numeric: true, cell: ({ ageDays }) => `${ageDays} d` },
];
