import { Alert, Anchor, Stack, Text } from '@mantine/core';
import { Link, useSearchParams } from 'react-router';
import { type Item, usePages } from '../calls.ts';
import { SeverityBadge, StatusBadge } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Problem } from '../parts/problem.tsx';
import { Time } from '../parts/time.tsx';
import { EntryDrawer } from './entry-drawer.tsx';
import { FILTERS, Filter, filterOf } from './filter.tsx';

export type Entry = Item<'listAuditLogs'>;

/** Rows on a page: the most that the API gives at once. */
const PAGE_ROWS = 200;

/** An entry by its place in the chain; one that waits for its seal by its id. */
export const nameOf = ({ seq, id }: Entry): string => (seq === null ? id : String(seq));

/** The search of the audit log, and the entry that the address names. */
export function Entries() {
  const [params, setParams] = useSearchParams();
  const entries = usePages('listAuditLogs', { query: { ...filterOf(params), limit: PAGE_ROWS } }, { still: true });
  const shown = params.get('entry');
  const cold = entries.data?.pages[0] as { inColdStorage?: string[] } | undefined;
  const pathOf = (entry: Entry): string => `?${changed(params, { entry: nameOf(entry) })}`;

  return (
    <Stack gap="md">
      <Filter
        params={params}
        onSearch={(filter) => {
          const next = new URLSearchParams(params);
          for (const name of [...FILTERS, 'entry']) next.delete(name);
          for (const [name, value] of Object.entries(filter)) next.set(name, String(value));
          setParams(next);
        }}
      />
      {entries.isError && <Problem error={entries.error} onRetry={() => void entries.refetch()} />}
      {cold?.inColdStorage !== undefined && cold.inColdStorage.length > 0 && (
        <Alert color="yellow" variant="light" title="Not everything was searched">
          In cold storage, and not found here: {cold.inColdStorage.join(', ')}
        </Alert>
      )}
      <DataTable
        label="Audit entries"
        columns={columnsOf(pathOf)}
        rows={entries.items}
        keyOf={({ id }) => id}
        linkOf={pathOf}
        isSelected={(entry) => nameOf(entry) === shown}
        empty="No entry is like that."
        maxHeight={640}
        more={{ has: entries.hasNextPage, busy: entries.isFetching, read: entries.more }}
      />
      <Text size="xs" c="dimmed">
        Newest first. Every search is an entry of the log itself.
      </Text>
      <EntryDrawer
        shown={shown}
        found={entries.items.find((entry) => nameOf(entry) === shown)}
        onClose={() => setParams(changed(params, { entry: null }))}
      />
    </Stack>
  );
}

/** The address with other values; null takes one away. */
export function changed(params: URLSearchParams, values: Readonly<Record<string, string | null>>): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(values)) {
    if (value === null) next.delete(name);
    else next.set(name, value);
  }
  return next;
}

function columnsOf(pathOf: (entry: Entry) => string): readonly Column<Entry>[] {
  return [
    { title: 'Seq', numeric: true, cell: ({ seq }) => seq ?? 'unsealed' },
    { title: 'Time', cell: ({ at }) => <Time at={at} /> },
    {
      title: 'Action',
      cell: (entry) => (
        <Anchor component={Link} to={pathOf(entry)}>
          {entry.action}
        </Anchor>
      ),
    },
    {
      title: 'Severity',
      cell: ({ severity }) => (severity === undefined ? '–' : <SeverityBadge severity={severity} />),
    },
    { title: 'Outcome', cell: ({ outcome }) => <StatusBadge status={outcome} /> },
    { title: 'Actor', cell: ({ actor }) => <PartyText {...actor} /> },
    { title: 'Subject', cell: ({ subject }) => <PartyText {...subject} /> },
    { title: 'Address', cell: ({ ip }) => ip ?? '–' },
  ];
}

/** Who or what, short: the detail has all of it. */
function PartyText({ kind, id }: { kind: string; id?: string }) {
  return (
    <Text span inherit title={id} style={{ whiteSpace: 'nowrap' }}>
      {kind.replaceAll('_', ' ')}
      {id === undefined ? '' : ` ${id.length > 14 ? `${id.slice(0, 8)}…` : id}`}
    </Text>
  );
}
