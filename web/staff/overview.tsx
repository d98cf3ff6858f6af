import { Anchor, SimpleGrid } from '@mantine/core';
import { Link, useSearchParams } from 'react-router';
import { type Body, useRead } from '../calls.ts';
import { AsOf } from '../parts/as-of.tsx';
import { type Figure, Figures } from '../parts/facts.tsx';
import { moneyText } from '../parts/money.tsx';
import { Page } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Countdown } from '../parts/time.tsx';
import { AuditState, TamperedLog } from './overview/audit-state.tsx';
import { Incidents } from './overview/incidents.tsx';
import { LiveNews } from './overview/live-news.tsx';
import { Outcomes } from './overview/outcomes.tsx';
import { isRiskWindow, RiskOverTime } from './overview/risk-over-time.tsx';
import { Schedules } from './overview/schedules.tsx';

export type Dashboard = Body<'getOverviewDashboard'>;

/** What staff open first: what needs a person, how risky the last hours were, and whether everything runs. */
export default function Overview() {
  const [params] = useSearchParams();
  const asked = params.get('window');
  const dashboard = useRead(
    'getOverviewDashboard',
    { query: { window: isRiskWindow(asked) ? asked : '24h' } },
    { keep: true },
  );
  return (
    <Page title="Overview" actions={<AsOf query={dashboard} />}>
      <Read query={dashboard}>
        {(data) => (
          <>
            <TamperedLog verification={data.audit.verification} />
            <Figures figures={figuresOf(data)} />
            <RiskOverTime risk={data.risk} />
            <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
              <Incidents incidents={data.incidents} />
              <LiveNews />
            </SimpleGrid>
            <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
              <Outcomes live={data.live} />
              <AuditState audit={data.audit} />
            </SimpleGrid>
            <Schedules schedules={data.schedules} />
          </>
        )}
      </Read>
    </Page>
  );
}

function figuresOf({ held, incidents, live, audit }: Dashboard): readonly Figure[] {
  const { critical } = incidents.bySeverity;
  const { sealer } = audit;
  return [
    {
      label: 'Held for review',
      value: (
        <Anchor component={Link} to="/console/reviews">
          {held.count}
        </Anchor>
      ),
      hint: `${moneyText(held.value, held.currency)}${held.withoutValue > 0 ? `, and ${held.withoutValue} of unknown value` : ''}`,
    },
    {
      label: 'Next deadline',
      value: held.nextDeadline === null ? '–' : <Countdown to={held.nextDeadline} />,
      hint:
        held.nextDeadline === null ? (
          'nothing waits'
        ) : (
          <Anchor component={Link} to="/console/reviews">
            review queue
          </Anchor>
        ),
    },
    {
      label: 'Unresolved incidents',
      value: (
        <Anchor component={Link} to="/console/incidents">
          {incidents.unresolved}
        </Anchor>
      ),
      hint: `${critical.open + critical.investigating} critical`,
      alarm: critical.open > 0,
    },
    {
      label: 'Locked accounts',
      value: (
        <Anchor component={Link} to="/console/authentication">
          {live.accounts.locked}
        </Anchor>
      ),
      hint: (
        <Anchor
          component={Link}
          to="/console/accounts?state=restricted"
        >{`${live.accounts.restricted} restricted`}</Anchor>
      ),
    },
    {
      label: 'Open sessions',
      value: `${live.sessions.open}${live.sessions.more ? '+' : ''}`,
      hint: `${countText(live.logins.lastHour.total, 'login')} in the last hour`,
    },
    {
      label: 'Sealer lag',
      value: lagText(sealer.oldestUnsealedMs),
      hint: sealer.unsealed === 0 ? 'every entry is sealed' : `${sealer.unsealed} waiting`,
      alarm: sealer.oldestUnsealedMs > LAG_ALARM_MS,
    },
  ];
}

/** The sealer works each second: what waits for a minute waits for something that does not run. */
const LAG_ALARM_MS = 60_000;

function lagText(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

const countText = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
