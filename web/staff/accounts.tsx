import { Anchor, Group, Text } from '@mantine/core';
import { Link, useSearchParams } from 'react-router';
import { type Item, usePages } from '../calls.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { FilterSelect, optionsOf, useFilters } from '../parts/filters.tsx';
import { Page } from '../parts/page.tsx';
import { Problem } from '../parts/problem.tsx';
import { SearchInput } from '../parts/search-input.tsx';
import { Ago, Countdown, Time } from '../parts/time.tsx';
import { useMe } from '../session/session.tsx';
import { AddPerson } from './account/add-person.tsx';

type Account = Item<'listAccounts'>;

const ROLES = ['customer', 'reviewer', 'admin', 'auditor', 'importer'] as const;
const STATES = ['locked', 'restricted', 'disabled'] as const;

const pathOf = ({ userId }: Account): string => `/console/accounts/${userId}`;

const COLUMNS: readonly Column<Account>[] = [
  {
    title: 'Account',
    cell: (account) => (
      <Anchor component={Link} to={pathOf(account)}>
        {account.email}
      </Anchor>
    ),
  },
  { title: 'Name', cell: ({ fullName }) => fullName },
  { title: 'Role', cell: ({ role }) => role },
  { title: 'State', cell: (account) => <AccountState account={account} /> },
  { title: 'Sessions', numeric: true, cell: ({ openSessions }) => openSessions },
  { title: 'Last login', cell: ({ lastLogin }) => <LastLogin login={lastLogin} /> },
  { title: 'Since', cell: ({ createdAt }) => <Time at={createdAt} day /> },
];

/** Every account: found by its address, role and state. */
export default function Accounts() {
  const { role: reader } = useMe();
  const [params] = useSearchParams();
  const filters = useFilters();
  const email = params.get('email') ?? '';
  const role = filters.get('role', ROLES);
  const state = filters.get('state', STATES);
  const accounts = usePages('listAccounts', {
    query: { ...(email ? { email } : {}), ...(role ? { role } : {}), ...(state ? { state } : {}) },
  });
  return (
    <Page title="Accounts" actions={reader === 'admin' && <AddPerson />}>
      <Group align="end" gap="sm">
        <SearchInput
          value={email}
          // Who reads addresses masked finds an account by the whole address alone.
          label={reader === 'reviewer' ? 'Whole e-mail address' : 'E-mail address begins with'}
          onChange={(value) => filters.set('email', value)}
        />
        <FilterSelect
          label="Role"
          none="every role"
          value={role}
          options={optionsOf(ROLES)}
          onChange={(value) => filters.set('role', value)}
        />
        <FilterSelect
          label="State"
          none="every state"
          value={state}
          options={optionsOf(STATES)}
          onChange={(value) => filters.set('state', value)}
        />
      </Group>
      {accounts.isError && <Problem error={accounts.error} onRetry={() => void accounts.refetch()} />}
      <DataTable
        label="Accounts"
        columns={COLUMNS}
        rows={accounts.items}
        keyOf={({ userId }) => userId}
        linkOf={pathOf}
        empty="No account is like that."
        maxHeight={720}
        more={{ has: accounts.hasNextPage, busy: accounts.isFetching, read: accounts.more }}
      />
    </Page>
  );
}

/** What an account may not do now, and for how long. */
export function AccountState({ account }: { account: Pick<Account, 'lockout' | 'restricted' | 'disabled'> }) {
  const { lockout, restricted, disabled } = account;
  if (lockout === null && !restricted && !disabled) return <StatusBadge status="active" />;
  return (
    <Group gap={6} wrap="nowrap">
      {disabled && <StatusBadge status="disabled" />}
      {restricted && <StatusBadge status="restricted" />}
      {lockout !== null && (
        <>
          <StatusBadge status="locked" />
          <Countdown to={lockout.lockedUntil} urgentMs={0} />
        </>
      )}
    </Group>
  );
}

function LastLogin({ login }: { login: Account['lastLogin'] }) {
  if (login === null) return <>never</>;
  return (
    <>
      <Ago at={login.at} />
      {login.status !== 'authenticated' && (
        <Text span inherit c="dimmed">
          , {login.status.replaceAll('_', ' ')}
        </Text>
      )}
    </>
  );
}
