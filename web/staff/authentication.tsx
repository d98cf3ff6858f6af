import { SimpleGrid } from '@mantine/core';
import { type Body, useRead } from '../calls.ts';
import { LoginSubject } from '../parts/account-link.tsx';
import { AsOf } from '../parts/as-of.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Facts, Figures, sum } from '../parts/facts.tsx';
import { FilterSelect, optionsOf, useFilters } from '../parts/filters.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Ago, Countdown, durationText, Time } from '../parts/time.tsx';
import { useMe } from '../session/session.tsx';
import { Attempts } from './attempts.tsx';
import { Places } from './places.tsx';
import { UnlockButton } from './unlock-button.tsx';

type Dashboard = Body<'getAuthDashboard'>;
type Locked = Dashboard['lockedAccounts'][number];
type FailuresOfUser = Dashboard['failedLogins']['byUser'][number];
type FailuresOfNetwork = Dashboard['failedLogins']['byNetwork'][number];

/** Rows of each list: the most that the API gives at once. */
const LISTED = 100;

/** Logins: who tried and how risky it was, who failed, who is locked, and from where people come. */
export default function Authentication() {
  const dashboard = useRead('getAuthDashboard', { query: { limit: LISTED } });
  return (
    <Page title="Authentication" actions={<AsOf query={dashboard} />}>
      <Read query={dashboard}>
        {(data) => (
          <>
            <Figures figures={figuresOf(data)} />
            <LockedAccounts locked={data.lockedAccounts} />
            <RecentAttempts attempts={data.recentAttempts} />
            <SimpleGrid cols={{ base: 1, xl: 2 }} spacing="md">
              <FailedByUser failures={data.failedLogins.byUser} />
              <FailedByNetwork failures={data.failedLogins.byNetwork} />
            </SimpleGrid>
            <Places places={data.places} />
            <Thresholds thresholds={data.thresholds} />
          </>
        )}
      </Read>
    </Page>
  );
}

function figuresOf({ lockedAccounts, failedLogins: { byUser, byNetwork, countedAtMost }, recentAttempts }: Dashboard) {
  // A list that is full may have left somebody out.
  const atLeast = byUser.length >= LISTED ? '≥ ' : '';
  const scores = recentAttempts.flatMap(({ score }) => (score === null ? [] : [score]));
  return [
    { label: 'Locked accounts', value: lockedAccounts.length, alarm: lockedAccounts.length > 0, hint: 'now' },
    {
      label: 'Wrong passwords',
      value: `${atLeast}${sum(byUser.map(({ failures }) => failures))}`,
      hint: `24 hours, the latest ${countedAtMost} at most`,
    },
    {
      label: 'Tries while locked',
      value: `${atLeast}${sum(byUser.map(({ whileLocked }) => whileLocked))}`,
      hint: '24 hours',
    },
    { label: 'Addresses tried', value: `${atLeast}${byUser.length}`, hint: 'with a failure, 24 hours' },
    {
      label: 'Networks',
      value: `${byNetwork.length >= LISTED ? '≥ ' : ''}${byNetwork.length}`,
      hint: 'with a failure, 24 hours',
    },
    {
      label: 'Highest score',
      value: scores.length === 0 ? '–' : Math.max(...scores).toFixed(2),
      hint: `of the latest ${recentAttempts.length} logins`,
    },
  ];
}

function LockedAccounts({ locked }: { locked: readonly Locked[] }) {
  const { role } = useMe();
  const columns: readonly Column<Locked>[] = [
    { title: 'Account', cell: (one) => <LoginSubject {...one} /> },
    { title: 'Time left', cell: ({ lockedUntil }) => <Countdown to={lockedUntil} urgentMs={0} /> },
    { title: 'Since', cell: ({ startedAt }) => <Time at={startedAt} /> },
    { title: 'Until', cell: ({ lockedUntil }) => <Time at={lockedUntil} /> },
    ...(role === 'admin' ? [{ title: 'Action', cell: unlockCell }] : []),
  ];
  return (
    <Section title="Locked accounts" hint="After too many wrong passwords. Each lock ends by itself.">
      <DataTable
        label="Locked accounts"
        columns={columns}
        rows={locked}
        keyOf={({ lockoutId }) => lockoutId}
        empty="No account is locked."
        maxHeight={360}
      />
    </Section>
  );
}

function unlockCell({ userId, unlockRequestedBy }: Locked) {
  if (userId === null) return '–';
  if (unlockRequestedBy !== null) return 'unlock requested';
  return <UnlockButton userId={userId} />;
}

function RecentAttempts({ attempts }: { attempts: Dashboard['recentAttempts'] }) {
  const filters = useFilters();
  const outcomes = [...new Set(attempts.map(({ status }) => status))].sort();
  const outcome = filters.get('outcome', outcomes);
  const shown = outcome === undefined ? attempts : attempts.filter(({ status }) => status === outcome);
  return (
    <Section
      title="Recent attempts"
      hint={`The latest ${attempts.length}. Open one for what each rule found.`}
      actions={
        <FilterSelect
          label="Outcome"
          none="every outcome"
          value={outcome}
          options={optionsOf(outcomes)}
          onChange={(value) => filters.set('outcome', value)}
        />
      }
    >
      <Attempts label="Recent attempts" attempts={shown} empty="Nobody has tried to sign in yet." />
    </Section>
  );
}

const FAILURE_COLUMNS: readonly Column<FailuresOfUser>[] = [
  { title: 'Account', cell: (one) => <LoginSubject {...one} /> },
  { title: 'Wrong passwords', numeric: true, cell: ({ failures }) => failures, sortBy: ({ failures }) => failures },
  {
    title: 'While locked',
    numeric: true,
    cell: ({ whileLocked }) => whileLocked,
    sortBy: ({ whileLocked }) => whileLocked,
  },
  { title: 'Networks', numeric: true, cell: ({ networks }) => networks, sortBy: ({ networks }) => networks },
  { title: 'Last', cell: ({ lastAt }) => <Ago at={lastAt} />, sortBy: ({ lastAt }) => lastAt },
];

function FailedByUser({ failures }: { failures: readonly FailuresOfUser[] }) {
  return (
    <Section title="Failed logins by user" hint="Last 24 hours, most first">
      <DataTable
        label="Failed logins by user"
        columns={FAILURE_COLUMNS}
        rows={failures}
        keyOf={({ subject }) => subject}
        empty="No login failed."
        maxHeight={360}
        sortParam="users"
      />
    </Section>
  );
}

const NETWORK_COLUMNS: readonly Column<FailuresOfNetwork>[] = [
  { title: 'Network', cell: ({ network }) => network ?? 'unknown', sortBy: ({ network }) => network ?? '' },
  { title: 'Wrong passwords', numeric: true, cell: ({ failures }) => failures, sortBy: ({ failures }) => failures },
  {
    title: 'While locked',
    numeric: true,
    cell: ({ whileLocked }) => whileLocked,
    sortBy: ({ whileLocked }) => whileLocked,
  },
  { title: 'Accounts', numeric: true, cell: ({ accounts }) => accounts, sortBy: ({ accounts }) => accounts },
];

function FailedByNetwork({ failures }: { failures: readonly FailuresOfNetwork[] }) {
  return (
    <Section title="Failed logins by network" hint="One network against many accounts is not one bad memory">
      <DataTable
        label="Failed logins by network"
        columns={NETWORK_COLUMNS}
        rows={failures}
        keyOf={({ network }) => network ?? ''}
        empty="No login failed."
        maxHeight={360}
        sortParam="networks"
      />
    </Section>
  );
}

function Thresholds({ thresholds }: { thresholds: Dashboard['thresholds'] }) {
  const { factorAbove, additionalVerificationAbove, deniedAbove, lockout, ruleSetVersion } = thresholds;
  return (
    <Section title="Thresholds in force" hint={`Rule set ${ruleSetVersion} of logins`}>
      <Facts
        facts={[
          ['A factor', `above ${factorAbove}`],
          ['Two different factors', `above ${additionalVerificationAbove}`],
          ['Denied', `above ${deniedAbove}`],
          [
            'Locked',
            `after ${lockout.failures} wrong passwords within ${durationText(lockout.windowSeconds * 1000)}, for ${durationText(lockout.durationSeconds * 1000)}`,
          ],
        ]}
      />
    </Section>
  );
}
