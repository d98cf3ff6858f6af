import { Button, Group, Select, SimpleGrid, TextInput } from '@mantine/core';
import type { FormEvent } from 'react';
import type { Input } from '../../client/index.ts';

export const FILTERS = ['action', 'actor', 'subject', 'severity', 'from', 'to'] as const;
type Query = NonNullable<Input<'listAuditLogs'>['query']>;

const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'];

/** What is searched for, as the address says it. */
export function filterOf(params: URLSearchParams): Query {
  return Object.fromEntries(
    FILTERS.flatMap((name) => {
      const value = params.get(name);
      return value === null || value === '' ? [] : [[name, value]];
    }),
  );
}

/** For `<input type="datetime-local">`: the viewer's own zone. */
function localOf(at: string | null): string {
  const date = new Date(at ?? '');
  if (Number.isNaN(date.getTime())) return '';
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

interface FilterProps {
  readonly params: URLSearchParams;
  readonly onSearch: (filter: Query) => void;
}

/** The search of the log. It searches when it is sent, since every search is an entry of the log itself. */
export function Filter({ params, onSearch }: FilterProps) {
  const given = (name: (typeof FILTERS)[number]): string => params.get(name) ?? '';

  function search(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const asked = FILTERS.flatMap((name) => {
      const value = String(form.get(name) ?? '').trim();
      if (value === '') return [];
      const isTime = name === 'from' || name === 'to';
      return [[name, isTime ? new Date(value).toISOString() : value]];
    });
    onSearch(Object.fromEntries(asked));
  }

  return (
    <form onSubmit={search} key={FILTERS.map(given).join('\n')} aria-label="Search of the audit log">
      <SimpleGrid cols={{ base: 1, xs: 2, md: 3, xl: 6 }} spacing="sm">
        <TextInput
          label="Action"
          name="action"
          placeholder="login.succeeded"
          defaultValue={given('action')}
          pattern="[a-z_]{1,40}\.[a-z_]{1,60}"
          title="noun.verb, for instance login.succeeded"
        />
        <TextInput label="Actor" name="actor" placeholder="id" defaultValue={given('actor')} maxLength={128} />
        <TextInput label="Subject" name="subject" placeholder="id" defaultValue={given('subject')} maxLength={128} />
        <Select
          label="Severity"
          name="severity"
          placeholder="any"
          data={SEVERITIES}
          defaultValue={given('severity') || null}
          clearable
          clearButtonProps={{ 'aria-label': 'Any severity' }}
        />
        <TextInput label="From" name="from" type="datetime-local" defaultValue={localOf(given('from'))} />
        <TextInput label="To" name="to" type="datetime-local" defaultValue={localOf(given('to'))} />
      </SimpleGrid>
      <Group mt="sm" gap="xs">
        <Button type="submit">Search</Button>
        {FILTERS.some((name) => given(name) !== '') && (
          <Button variant="default" onClick={() => onSearch({})}>
            Clear
          </Button>
        )}
      </Group>
    </form>
  );
}
