import { Badge, Button, Group, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { checkGrowth } from '../audit-proof/checks.ts';
import { type Item, useChange, usePages, useRead } from '../calls.ts';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Id } from '../parts/id.tsx';
import { Section } from '../parts/page.tsx';
import { Problem, problemText } from '../parts/problem.tsx';
import { Loading } from '../parts/read.tsx';
import { Time } from '../parts/time.tsx';
import { Checks } from './checks-view.tsx';
import { changed } from './entries.tsx';
import { findingText } from './findings.ts';
import { KeySource, Keys } from './keys.tsx';
import { keyFor, useOwnKeys } from './own-keys.ts';

type Checkpoint = Item<'listAuditCheckpoints'>;

const VERDICTS = {
  passed: 'Proved: the log only grew between the two',
  failed: 'The later log does not continue the earlier one',
  open: 'Not proved',
} as const;

const COLUMNS: readonly Column<Checkpoint>[] = [
  { title: 'Entries', numeric: true, cell: ({ size }) => size },
  { title: 'Signed', cell: ({ time }) => <Time at={time} /> },
  { title: 'Because of', cell: ({ trigger }) => trigger },
  { title: 'Root', cell: ({ root }) => <Id id={root} what="root" /> },
  { title: 'Published', cell: ({ places }) => <Places places={places} /> },
  { title: 'Witness', cell: ({ witness }) => witness },
  { title: 'Fork', numeric: true, cell: ({ fork }) => fork },
];

function Places({ places }: { places: Checkpoint['places'] }) {
  return (
    <Group gap={4} wrap="nowrap">
      {Object.entries(places).map(([place, problem]) => (
        <Badge key={place} color={problem === null ? 'green' : 'red'} variant="light" className="badge">
          {place}: {problem ?? 'there'}
        </Badge>
      ))}
    </Group>
  );
}

/** What is published of the log, and whether the later ones continue the earlier ones. */
export function Checkpoints() {
  const checkpoints = usePages('listAuditCheckpoints', { query: { limit: 200 } });
  const publish = useChange('publishAuditCheckpoint', { changes: ['listAuditCheckpoints', 'getAuditCheckpoint'] });
  return (
    <Stack>
      <Section
        title="Published checkpoints"
        hint="Each signs the number of entries and the root of their Merkle tree. They are kept outside the database."
        actions={
          <Button size="xs" variant="default" loading={publish.isPending} onClick={() => publish.mutate({})}>
            Publish now
          </Button>
        }
      >
        <Text size="sm" role="status" mb="xs" c={publish.isError ? 'var(--mantine-color-error)' : 'dimmed'}>
          {publish.isError ? problemText(publish.error) : publish.data && outcomeText(publish.data.body)}
        </Text>
        {checkpoints.isError && <Problem error={checkpoints.error} onRetry={() => void checkpoints.refetch()} />}
        <DataTable
          label="Checkpoints"
          columns={COLUMNS}
          rows={checkpoints.items}
          keyOf={({ name }) => name}
          empty="None was published yet."
          maxHeight={360}
          more={{ has: checkpoints.hasNextPage, busy: checkpoints.isFetching, read: checkpoints.more }}
        />
      </Section>
      {checkpoints.items.length > 1 && <Comparison checkpoints={checkpoints.items} />}
      {checkpoints.isSuccess && <Keys served={checkpoints.items[0]?.key} />}
    </Stack>
  );
}

function outcomeText({ status, reason }: { status: string; reason?: string }): string {
  if (status === 'refused') return `Refused: ${findingText(reason ?? '')}`;
  return status === 'published' ? 'Published.' : 'Nothing is new since the last one.';
}

/** Two checkpoints, and the proof that the later one continues the earlier one, checked here. */
function Comparison({ checkpoints }: { checkpoints: readonly Checkpoint[] }) {
  const [params, setParams] = useSearchParams();
  const named = (name: string | null) => checkpoints.find((one) => one.name === name);
  const newer = named(params.get('later')) ?? checkpoints[0];
  const older = named(params.get('earlier')) ?? checkpoints[1];
  const options = checkpoints.map(({ name, size, time }) => ({
    value: name,
    label: `${size} entries, ${new Date(time).toLocaleString()}`,
  }));
  const choice = (name: 'earlier' | 'later', label: string, value: string | undefined) => (
    <Select
      label={label}
      data={options}
      value={value ?? null}
      allowDeselect={false}
      searchable
      onChange={(chosen) => setParams(changed(params, { [name]: chosen, compare: null }))}
      w={{ base: '100%', xs: 320 }}
    />
  );
  const isAsked = params.get('compare') === '1';
  return (
    <Section
      title="Consistency of two checkpoints"
      hint="Shows that nothing of the earlier log was changed or taken away (RFC 6962, section 2.1.2)."
    >
      <Stack>
        <Group align="flex-end">
          {choice('earlier', 'Earlier', older?.name)}
          {choice('later', 'Later', newer?.name)}
          <Button onClick={() => setParams(changed(params, { compare: '1' }))}>Check</Button>
        </Group>
        {isAsked && older !== undefined && newer !== undefined && <Compared older={older} newer={newer} />}
      </Stack>
    </Section>
  );
}

function Compared({ older, newer }: { older: Checkpoint; newer: Checkpoint }) {
  const own = useOwnKeys();
  const [a, b] = [keyFor(older.key, own.keys), keyFor(newer.key, own.keys)];
  const answer = useRead('proveAuditGrowth', { query: { from: String(older.size), to: String(newer.size) } });
  const signed = [
    { note: older.note, key: a.key },
    { note: newer.note, key: b.key },
  ] as const;
  const checks = useQuery({
    queryKey: ['audit-growth', signed, answer.data],
    queryFn: () => checkGrowth(...signed, answer.data as NonNullable<typeof answer.data>),
    enabled: answer.data !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (answer.isError) return <Problem error={answer.error} onRetry={() => void answer.refetch()} />;
  if (checks.isError) return <Problem error={checks.error} />;
  if (checks.data === undefined) return <Loading />;
  return (
    <Stack gap="sm">
      <Checks checks={checks.data} verdicts={VERDICTS} />
      <KeySource isOwn={b.isOwn} />
    </Stack>
  );
}
