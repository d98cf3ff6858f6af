import { Anchor, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { type Item, useChange, usePages, useRead } from '../calls.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Facts } from '../parts/facts.tsx';
import { Section } from '../parts/page.tsx';
import { Problem, problemText } from '../parts/problem.tsx';
import { Read } from '../parts/read.tsx';
import { RunProgress } from '../parts/run-progress.tsx';
import { Time } from '../parts/time.tsx';
import { useMe } from '../session/session.tsx';
import { Report } from './report.tsx';
import { percent } from './shadow.tsx';

type Backtest = Item<'listBacktests'>;

const DAY_MS = 86_400_000;
const CHANGES = ['listBacktests', 'getBacktest'] as const;

/** Back-tests of a version: begun, followed, cancelled and read. Which one is shown is in the address. */
export function Backtests({ version }: { version: string }) {
  const me = useMe();
  const [params, setParams] = useSearchParams();
  const backtests = usePages('listBacktests', { path: { version } });
  const pathOf = ({ backtestId }: Backtest): string => {
    const next = new URLSearchParams(params);
    next.set('backtest', backtestId);
    return `?${next}`;
  };
  const shown = params.get('backtest') ?? backtests.items[0]?.backtestId;
  return (
    <Stack>
      {me.role === 'admin' && (
        <Start
          version={version}
          onStarted={(backtestId) => {
            const next = new URLSearchParams(params);
            next.set('backtest', backtestId);
            setParams(next);
          }}
        />
      )}
      {backtests.isError && <Problem error={backtests.error} onRetry={() => void backtests.refetch()} />}
      <DataTable
        label="Back-tests"
        columns={columnsOf(pathOf)}
        rows={backtests.items}
        keyOf={({ backtestId }) => backtestId}
        linkOf={pathOf}
        isSelected={({ backtestId }) => backtestId === shown}
        empty="None yet. A back-test judges recorded transactions by this version; going live needs a fresh one."
        maxHeight={260}
        more={{ has: backtests.hasNextPage, busy: backtests.isFetching, read: backtests.more }}
      />
      {shown !== undefined && <Shown key={shown} version={version} backtestId={shown} />}
    </Stack>
  );
}

function columnsOf(pathOf: (one: Backtest) => string): readonly Column<Backtest>[] {
  return [
    {
      title: 'Requested',
      cell: (one) => (
        <Anchor component={Link} to={pathOf(one)}>
          <Time at={one.requestedAt} />
        </Anchor>
      ),
    },
    { title: 'Status', cell: ({ status, reason }) => <StatusBadge status={status} code={reason} /> },
    { title: 'From', cell: ({ from }) => <Time at={from} day /> },
    { title: 'To', cell: ({ to }) => <Time at={to} day /> },
    { title: 'Transactions', numeric: true, cell: ({ result }) => result?.rows ?? '–' },
    { title: 'Held', numeric: true, cell: ({ result }) => (result === null ? '–' : percent(result.forecast.share)) },
    {
      title: 'Average precision',
      numeric: true,
      cell: ({ result }) => result?.quality.averagePrecision?.toFixed(3) ?? '–',
    },
  ];
}

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** Whole days in UTC, as the report counts them; the last one is in it. */
function Start({ version, onStarted }: { version: string; onStarted: (backtestId: string) => void }) {
  const [from, setFrom] = useState(() => dayOf(Date.now() - 30 * DAY_MS));
  const [to, setTo] = useState(() => dayOf(Date.now()));
  const start = useChange('startBacktest', { changes: CHANGES, onDone: ({ body }) => onStarted(body.backtestId) });

  function begin(event: FormEvent): void {
    event.preventDefault();
    const end = new Date(Date.parse(`${to}T00:00:00Z`) + DAY_MS).toISOString();
    start.mutate({ path: { version }, body: { from: `${from}T00:00:00Z`, to: end } });
  }

  return (
    <form onSubmit={begin} aria-label="New back-test">
      <Group align="flex-end" gap="sm">
        <TextInput
          type="date"
          label="First day, UTC"
          value={from}
          required
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          type="date"
          label="Last day, UTC"
          value={to}
          required
          onChange={(event) => setTo(event.currentTarget.value)}
        />
        <Button type="submit" loading={start.isPending}>
          Back-test
        </Button>
      </Group>
      {start.isError && (
        <Text size="sm" mt="xs" role="alert" c="var(--mantine-color-error)">
          {problemText(start.error)}
        </Text>
      )}
    </form>
  );
}

function Shown({ version, backtestId }: { version: string; backtestId: string }) {
  const backtest = useRead('getBacktest', { path: { version, backtestId } });
  return (
    <Section title="Report" actions={backtest.data && <StatusBadge status={backtest.data.status} />}>
      <Read query={backtest}>
        {(found) => (
          <Stack gap="md">
            <Facts
              facts={[
                ['Period', <Period key="period" {...found} />],
                [
                  'Document',
                  <span key="document" className="hash">
                    {found.sha256}
                  </span>,
                ],
                ['Finished', <Time key="finished" at={found.finishedAt} />],
              ]}
            />
            {found.finishedAt === null && <Running backtest={found} />}
            {found.status === 'failed' && <Text c="var(--mantine-color-error)">It failed: {found.reason}</Text>}
            {found.status === 'cancelled' && (
              <Text c="dimmed">It was cancelled after {found.rowsDone} transactions.</Text>
            )}
            {found.result !== null && <Report version={version} result={found.result} />}
          </Stack>
        )}
      </Read>
    </Section>
  );
}

function Period({ from, to }: Backtest) {
  return (
    <>
      <Time at={from} /> to <Time at={to} />
    </>
  );
}

function Running({ backtest }: { backtest: Backtest }) {
  const me = useMe();
  const { mutate, isPending, error } = useChange('cancelBacktest', { changes: CHANGES });
  const { version, backtestId, rowsDone, rowsTotal } = backtest;
  const cancel = { isPending, error, run: () => mutate({ path: { version, backtestId } }) };
  return (
    <RunProgress
      label="Transactions read"
      done={rowsDone}
      total={rowsTotal}
      unit="transactions"
      {...(me.role === 'admin' ? { cancel } : {})}
    />
  );
}
