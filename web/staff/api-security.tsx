import { SimpleGrid, Title } from '@mantine/core';
import { type Body, useRead } from '../calls.ts';
import { AccountLink } from '../parts/account-link.tsx';
import { AsOf } from '../parts/as-of.tsx';
import { Bars } from '../parts/bars.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Figures, sum } from '../parts/facts.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Ago, Time } from '../parts/time.tsx';
import { Endpoints } from './endpoints.tsx';
import { factorText, refusalText } from './refusal-text.ts';

type Dashboard = Body<'getApiSecurityDashboard'>;
type Violation = Dashboard['rateLimitViolations']['latest'][number];
type Passwords = Dashboard['failedAuthentications']['passwords'][number];

/** Rows of each list: the most that the API gives at once. */
const LISTED = 100;

/** What the API refused in the last 24 hours, and everything it watches. */
export default function ApiSecurity() {
  const dashboard = useRead('getApiSecurityDashboard', { query: { limit: LISTED } });
  return (
    <Page title="API security" actions={<AsOf query={dashboard} />}>
      <Read query={dashboard}>
        {(data) => (
          <>
            <Figures figures={figuresOf(data)} />
            <RateLimits violations={data.rateLimitViolations} />
            <Refusals
              title="Failed signatures"
              hint="Signed requests whose signature did not hold, by cause"
              refusals={data.failedSignatures}
              empty="Every signature held."
            />
            <Refusals
              title="Invalid tokens"
              hint="Requests with a session token that opens nothing, by pattern"
              refusals={data.invalidTokens}
              empty="Every token was good."
            />
            <Authentications failures={data.failedAuthentications} />
            <Endpoints endpoints={data.monitoredEndpoints} />
          </>
        )}
      </Read>
    </Page>
  );
}

function figuresOf(data: Dashboard) {
  const { rateLimitViolations, failedSignatures, invalidTokens, failedAuthentications, monitoredEndpoints } = data;
  const { passwords, factors } = failedAuthentications;
  const hint = `${data.windowHours} hours`;
  return [
    {
      label: 'Rate-limit violations',
      value: rateLimitViolations.total,
      hint: `${hint}; the limit is ${rateLimitViolations.limitPerMinute} a minute`,
    },
    { label: 'Failed signatures', value: failedSignatures.total, hint },
    { label: 'Invalid tokens', value: invalidTokens.total, hint },
    {
      label: 'Wrong passwords',
      value: `${passwords.length >= LISTED ? '≥ ' : ''}${sum(passwords.map(({ failures }) => failures))}`,
      hint,
    },
    { label: 'Wrong factors', value: sum(factors.map(({ failures }) => failures)), hint },
    { label: 'Endpoints watched', value: monitoredEndpoints.length, hint: 'all of this API' },
  ];
}

const VIOLATION_COLUMNS: readonly Column<Violation>[] = [
  { title: 'Endpoint', cell: ({ route }) => route, sortBy: ({ route }) => route },
  { title: 'Refused', numeric: true, cell: ({ refusals }) => refusals, sortBy: ({ refusals }) => refusals },
  { title: 'Account', cell: ({ userId }) => (userId === null ? 'not signed in' : <AccountLink userId={userId} />) },
  { title: 'Network', cell: ({ network }) => network ?? 'unknown', sortBy: ({ network }) => network ?? '' },
  { title: 'First', cell: ({ firstAt }) => <Time at={firstAt} /> },
  { title: 'Last', cell: ({ lastAt }) => <Ago at={lastAt} />, sortBy: ({ lastAt }) => lastAt },
];

function RateLimits({ violations }: { violations: Dashboard['rateLimitViolations'] }) {
  return (
    <Section title="Rate-limit violations" hint={`More than ${violations.limitPerMinute} calls a minute of one route`}>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg" mb="md">
        <ByRoute what="Rate-limit violations" rows={violations.byRoute} empty="Nobody was too fast." />
        <ByNetwork what="Rate-limit violations" rows={violations.byNetwork} empty="Nobody was too fast." />
      </SimpleGrid>
      <DataTable
        label="Latest rate-limit violations"
        columns={VIOLATION_COLUMNS}
        rows={violations.latest}
        keyOf={({ route, network, userId, firstAt }) => [route, network, userId, firstAt].join(' ')}
        empty="Nobody went over the limit in the last 24 hours."
        maxHeight={360}
        sortParam="violations"
      />
    </Section>
  );
}

interface RefusalsProps {
  readonly title: string;
  readonly hint: string;
  readonly refusals: Dashboard['failedSignatures'];
  readonly empty: string;
}

function Refusals({ title, hint, refusals, empty }: RefusalsProps) {
  return (
    <Section title={title} hint={hint}>
      <SimpleGrid cols={{ base: 1, md: 3 }} spacing="lg">
        <By by="cause">
          <Bars
            label={`${title} by cause`}
            bars={refusals.byCause.map(({ cause, refusals: value }) => ({
              key: cause,
              label: refusalText(cause),
              value,
            }))}
            empty={empty}
            color="red.7"
          />
        </By>
        <ByRoute what={title} rows={refusals.byRoute} empty={empty} />
        <ByNetwork what={title} rows={refusals.byNetwork} empty={empty} />
      </SimpleGrid>
    </Section>
  );
}

function By({ by, children }: { by: string; children: React.ReactNode }) {
  return (
    <div>
      <Title order={3} size="h6" mb="xs">
        By {by}
      </Title>
      {children}
    </div>
  );
}

interface ByProps<Row> {
  readonly what: string;
  readonly rows: readonly Row[];
  readonly empty: string;
}

function ByRoute({ what, rows, empty }: ByProps<{ route: string; refusals: number }>) {
  return (
    <By by="endpoint">
      <Bars
        label={`${what} by endpoint`}
        bars={rows.map(({ route, refusals }) => ({ key: route, label: route, value: refusals }))}
        empty={empty}
      />
    </By>
  );
}

function ByNetwork({ what, rows, empty }: ByProps<{ network: string | null; refusals: number }>) {
  return (
    <By by="network">
      <Bars
        label={`${what} by network`}
        bars={rows.map(({ network, refusals }) => ({
          key: network ?? '',
          label: network ?? 'unknown',
          value: refusals,
        }))}
        empty={empty}
      />
    </By>
  );
}

const PASSWORD_COLUMNS: readonly Column<Passwords>[] = [
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

function Authentications({ failures: { passwords, factors } }: { failures: Dashboard['failedAuthentications'] }) {
  return (
    <Section title="Failed authentications" hint="Wrong passwords by network, wrong factors by what they were for">
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
        <DataTable
          label="Wrong passwords by network"
          columns={PASSWORD_COLUMNS}
          rows={passwords}
          keyOf={({ network }) => network ?? ''}
          empty="Every password was right."
          maxHeight={320}
          sortParam="passwords"
        />
        <By by="factor">
          <Bars
            label="Wrong factors"
            bars={factors.map(({ challenge, method, failures: value }) => ({
              key: `${challenge} ${method}`,
              label: factorText(challenge, method),
              value,
            }))}
            empty="Every code was right."
          />
        </By>
      </SimpleGrid>
    </Section>
  );
}
