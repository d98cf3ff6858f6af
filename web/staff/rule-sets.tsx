import { Anchor } from '@mantine/core';
import { Link } from 'react-router';
import { type Body, useRead } from '../calls.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Figures } from '../parts/facts.tsx';
import { Page } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Time } from '../parts/time.tsx';
import { percent } from '../rule-sets/shadow.tsx';

type RuleSet = Body<'listRuleSets'>['items'][number];

const pathOf = ({ version }: RuleSet): string => `/console/rule-sets/${version}`;

/** What decides first, then what watches, then what may come, then what was. */
const ORDER: Readonly<Record<RuleSet['status'], number>> = { live: 0, shadow: 1, draft: 2, retired: 3 };

const COLUMNS: readonly Column<RuleSet>[] = [
  {
    title: 'Version',
    cell: (one) => (
      <Anchor component={Link} to={pathOf(one)} fw={600}>
        {one.version}
      </Anchor>
    ),
  },
  { title: 'Status', cell: ({ status }) => <StatusBadge status={status} /> },
  { title: 'Title', cell: ({ title }) => title },
  { title: 'Rules', numeric: true, cell: ({ rules }) => rules },
  { title: 'Decided, 24 h', numeric: true, cell: ({ lately }) => lately.decided },
  {
    title: 'Held, 24 h',
    numeric: true,
    cell: ({ lately }) => (lately.decided === 0 ? '–' : `${lately.held} (${percent(lately.held / lately.decided)})`),
  },
  { title: 'Since', cell: ({ statusAt }) => <Time at={statusAt} /> },
  {
    title: 'Made',
    cell: ({ origin, createdAt }) => (origin === 'published' ? 'with the program' : <Time at={createdAt} />),
  },
];

/** Every version of the rules: what decides, what judges in the shadow, what waits, what was. */
export default function RuleSets() {
  const ruleSets = useRead('listRuleSets', {});
  return (
    <Page title="Rule sets">
      <Read query={ruleSets}>
        {({ items }) => {
          const live = items.find(({ status }) => status === 'live');
          const count = (status: RuleSet['status']): number => items.filter((one) => one.status === status).length;
          return (
            <>
              <Figures
                figures={[
                  { label: 'Live', value: live?.version ?? '–', hint: live?.title },
                  { label: 'Decided by it, 24 h', value: live?.lately.decided ?? 0 },
                  { label: 'Held by it, 24 h', value: live?.lately.held ?? 0 },
                  { label: 'In the shadow', value: count('shadow') },
                  { label: 'Drafts', value: count('draft') },
                  { label: 'Retired', value: count('retired') },
                ]}
              />
              <DataTable
                label="Rule sets"
                columns={COLUMNS}
                rows={items.toSorted((a, b) => ORDER[a.status] - ORDER[b.status])}
                keyOf={({ version }) => version}
                linkOf={pathOf}
                maxHeight={640}
              />
            </>
          );
        }}
      </Read>
    </Page>
  );
}
