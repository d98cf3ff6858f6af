import { Anchor, Button, Group, Text } from '@mantine/core';
import { Link } from 'react-router';
import { type Item, usePages } from '../calls.ts';
import { SeverityBadge, StatusBadge } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { FilterSelect, optionsOf, useFilters, words } from '../parts/filters.tsx';
import { KeyHints } from '../parts/keys.tsx';
import { Page } from '../parts/page.tsx';
import { Person } from '../parts/people.tsx';
import { Problem } from '../parts/problem.tsx';
import { Ago, Time } from '../parts/time.tsx';
import { CAUSES, SEVERITIES } from './incident/causes.ts';

type Incident = Item<'listIncidents'>;

/** What still asks for somebody comes first in mind: it is what is shown without a choice. */
const STATUSES = ['open', 'investigating', 'resolved', 'all'] as const;

const pathOf = ({ incidentId }: Incident): string => `/console/incidents/${incidentId}`;

const COLUMNS: readonly Column<Incident>[] = [
  { title: 'Severity', cell: ({ severity }) => <SeverityBadge severity={severity} /> },
  {
    title: 'Incident',
    cell: (incident) => (
      <Anchor component={Link} to={pathOf(incident)} style={{ display: 'inline-block', minWidth: 200 }}>
        {incident.title}
      </Anchor>
    ),
  },
  { title: 'Status', cell: ({ status }) => <StatusBadge status={status} /> },
  { title: 'Cause', cell: ({ cause }) => words(cause) },
  { title: 'Opened', cell: ({ openedAt }) => <Time at={openedAt} /> },
  {
    title: 'Age',
    cell: ({ openedAt, resolvedAt }) =>
      resolvedAt === null ? (
        <Ago at={openedAt} />
      ) : (
        <Text span inherit>
          resolved
        </Text>
      ),
  },
  { title: 'With', cell: ({ assignedTo }) => (assignedTo === null ? 'nobody' : <Person id={assignedTo} />) },
  { title: 'Escalated', numeric: true, cell: ({ escalations }) => (escalations === 0 ? '–' : `${escalations} ×`) },
];

/** What went wrong or looks like it: the unresolved first in view, newest on top. */
export default function Incidents() {
  const filters = useFilters();
  const chosen = filters.get('status', STATUSES);
  const status = chosen === 'all' ? undefined : (chosen ?? 'unresolved');
  const severity = filters.get('severity', SEVERITIES);
  const cause = filters.get('cause', CAUSES);
  const incidents = usePages('listIncidents', { query: { status, severity, cause } });
  return (
    <Page title="Incidents">
      <Group align="flex-end" gap="sm">
        <FilterSelect
          label="Status"
          value={chosen}
          onChange={(value) => filters.set('status', value)}
          none="unresolved"
          options={optionsOf(STATUSES)}
        />
        <FilterSelect
          label="Severity"
          value={severity}
          onChange={(value) => filters.set('severity', value)}
          none="any"
          options={optionsOf(SEVERITIES)}
        />
        <FilterSelect
          label="Cause"
          value={cause}
          onChange={(value) => filters.set('cause', value)}
          none="any"
          options={optionsOf(CAUSES)}
        />
        {filters.any && (
          <Button variant="subtle" onClick={filters.clear}>
            Clear
          </Button>
        )}
      </Group>
      {incidents.isError && <Problem error={incidents.error} onRetry={() => void incidents.refetch()} />}
      <DataTable
        label="Incidents"
        columns={COLUMNS}
        rows={incidents.items}
        keyOf={({ incidentId }) => incidentId}
        linkOf={pathOf}
        keys={{}}
        empty={filters.any ? 'No incident matches these filters.' : 'No incident is unresolved.'}
        maxHeight={680}
        more={{ has: incidents.hasNextPage, busy: incidents.isFetching, read: incidents.more }}
      />
      <KeyHints
        hints={[
          [['j', '↓'], 'next'],
          [['k', '↑'], 'previous'],
          [['Enter'], 'open'],
        ]}
      />
    </Page>
  );
}
