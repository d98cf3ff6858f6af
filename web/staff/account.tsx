import { SimpleGrid } from '@mantine/core';
import { useParams } from 'react-router';
import { type Body, usePages, useRead } from '../calls.ts';
import { Facts } from '../parts/facts.tsx';
import { Id } from '../parts/id.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Problem } from '../parts/problem.tsx';
import { Read } from '../parts/read.tsx';
import { Time } from '../parts/time.tsx';
import { useMe } from '../session/session.tsx';
import { AccountActions } from './account/actions.tsx';
import { Administration } from './account/administration.tsx';
import { AccountDevices } from './account/devices.tsx';
import { Restriction } from './account/restriction.tsx';
import { AccountSessions } from './account/sessions.tsx';
import { AccountState } from './accounts.tsx';
import { Attempts } from './attempts.tsx';
import { methodText } from './refusal-text.ts';

export type Account = Body<'getAccount'>;

const ACCOUNTS = { path: '/console/accounts', label: 'Accounts' };

/** One account: what it is, what it has open, and what staff may do about it. */
export default function AccountPage() {
  const { id: userId = '' } = useParams();
  const account = useRead('getAccount', { path: { user_id: userId } });
  const { role } = useMe();
  return (
    <Page
      title={account.data?.email ?? 'Account'}
      parent={ACCOUNTS}
      actions={account.data && <AccountActions account={account.data} />}
    >
      <Read query={account}>
        {(data) => (
          <>
            <Section title="Account">
              <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="xl" verticalSpacing={6}>
                <Facts facts={stateOf(data)} />
                <Facts facts={historyOf(data)} />
              </SimpleGrid>
            </Section>
            {data.restriction !== null && <Restriction account={data} />}
            <AccountSessions account={data} />
            <AccountDevices userId={data.userId} />
            <Logins userId={data.userId} />
            {role === 'admin' && <Administration account={data} />}
          </>
        )}
      </Read>
    </Page>
  );
}

type FactList = React.ComponentProps<typeof Facts>['facts'];

function stateOf(account: Account): FactList {
  const { factors, heldTransactions, unresolvedIncidents } = account;
  return [
    ['State', <AccountState key="state" account={account} />],
    ['Name', account.fullName],
    ['Role', account.role],
    ['Limits', `${account.tier} tier`],
    ['Factors', factors.length === 0 ? 'none enrolled' : factors.map(methodText).join(', ')],
    ['Devices', account.devices],
    ['Signing keys', account.signingKeys],
    ['Held transactions', heldTransactions],
    ['Unresolved incidents', unresolvedIncidents],
  ];
}

function historyOf(account: Account): FactList {
  return [
    ['Since', <Time key="since" at={account.createdAt} />],
    ['Address confirmed', <Time key="confirmed" at={account.emailConfirmedAt} />],
    [
      'Password changed',
      <>
        <Time at={account.passwordChangedAt} />
        {account.passwordChangeRequired && '; a one-time password waits to be replaced'}
      </>,
    ],
    ...(account.disabledAt === null ? [] : [['Disabled', <Time key="disabled" at={account.disabledAt} />] as const]),
    ['Time zone', account.timeZone],
    ['User', <Id key="user" id={account.userId} what="id of the user" />],
    ['Trading account', account.accountId && <Id key="account" id={account.accountId} what="id of the account" />],
  ];
}

function Logins({ userId }: { userId: string }) {
  const logins = usePages('listAccountLogins', { path: { user_id: userId }, query: { limit: 50 } });
  return (
    <Section title="Logins" hint="Newest first. Open one for what each rule found.">
      {logins.isError && <Problem error={logins.error} onRetry={() => void logins.refetch()} />}
      <Attempts
        label="Logins"
        attempts={logins.items}
        withAccount={false}
        empty="Nobody has tried to sign in."
        more={{ has: logins.hasNextPage, busy: logins.isFetching, read: logins.more }}
      />
    </Section>
  );
}
