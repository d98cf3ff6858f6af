import { Code, Group, Switch, Text } from '@mantine/core';
import { useSearchParams } from 'react-router';
import type { Body } from '../calls.ts';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { FilterSelect, optionsOf, useFilters } from '../parts/filters.tsx';
import { Section } from '../parts/page.tsx';
import { SearchInput } from '../parts/search-input.tsx';

type Endpoint = Body<'getApiSecurityDashboard'>['monitoredEndpoints'][number];

const LIMITS: Readonly<Record<Endpoint['limit'], string>> = {
  shared: 'all processes together',
  local: 'each process',
  none: 'none',
};

const COLUMNS: readonly Column<Endpoint>[] = [
  { title: 'Method', cell: ({ method }) => <Code>{method}</Code>, sortBy: ({ method }) => method },
  { title: 'Path', cell: ({ path }) => path, sortBy: ({ path }) => path },
  {
    title: 'Who may',
    cell: ({ access }) => (access === null ? 'everybody' : access.join(', ')),
    sortBy: ({ access }) => access?.length ?? 99,
  },
  { title: 'Signed', cell: ({ signed }) => (signed ? 'yes' : '–'), sortBy: ({ signed }) => (signed ? 1 : 0) },
  { title: 'Rate limit', cell: ({ limit }) => LIMITS[limit], sortBy: ({ limit }) => LIMITS[limit] },
  { title: 'Calls', numeric: true, cell: ({ calls }) => calls, sortBy: ({ calls }) => calls },
  {
    title: 'Refused',
    numeric: true,
    cell: ({ clientErrors }) => clientErrors,
    sortBy: ({ clientErrors }) => clientErrors,
  },
  {
    title: 'Faults',
    numeric: true,
    cell: ({ serverErrors }) => (
      <Text span inherit c={serverErrors > 0 ? 'var(--mantine-color-error)' : undefined}>
        {serverErrors}
      </Text>
    ),
    sortBy: ({ serverErrors }) => serverErrors,
  },
];

/** Every endpoint of the API with who may call it and how it fares: filtered and sorted by the URL. */
export function Endpoints({ endpoints }: { endpoints: readonly Endpoint[] }) {
  const [params] = useSearchParams();
  const filters = useFilters();
  const methods = [...new Set(endpoints.map((one) => one.method))].sort();
  const who = ['everybody', ...new Set(endpoints.flatMap(({ access }) => access ?? []))].sort();
  const path = params.get('path') ?? '';
  const method = filters.get('method', methods);
  const role = filters.get('who', who);
  const withErrors = filters.get('errors', ['yes']) !== undefined;
  const shown = endpoints.filter(
    (one) =>
      one.path.toLowerCase().includes(path.toLowerCase()) &&
      (method === undefined || one.method === method) &&
      (role === undefined || (one.access ?? ['everybody']).some((name) => name === role)) &&
      (!withErrors || one.clientErrors + one.serverErrors > 0),
  );
  return (
    <Section
      title="Monitored endpoints"
      hint={`${shown.length} of ${endpoints.length}. Calls since this process of the API started.`}
    >
      <Group mb="sm" align="end" gap="sm">
        <SearchInput label="Path" value={path} onChange={(value) => filters.set('path', value)} />
        <FilterSelect
          label="Method"
          none="any"
          value={method}
          options={optionsOf(methods)}
          onChange={(value) => filters.set('method', value)}
        />
        <FilterSelect
          label="Who may"
          none="anybody"
          value={role}
          options={optionsOf(who)}
          onChange={(value) => filters.set('who', value)}
        />
        <Switch
          label="Only with refusals or faults"
          mb={8}
          checked={withErrors}
          onChange={(event) => filters.set('errors', event.currentTarget.checked ? 'yes' : '')}
        />
      </Group>
      <DataTable
        label="Monitored endpoints"
        columns={COLUMNS}
        rows={shown}
        keyOf={(one) => `${one.method} ${one.path}`}
        empty="No endpoint is like that."
        sortParam="endpoints"
      />
    </Section>
  );
}
