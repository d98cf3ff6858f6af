import { Tabs } from '@mantine/core';
import { useSearchParams } from 'react-router';
import { Checkpoints } from '../audit-log/checkpoints.tsx';
import { Entries } from '../audit-log/entries.tsx';
import { VerificationPanel } from '../audit-log/verification.tsx';
import { Page } from '../parts/page.tsx';

const TABS = [
  ['entries', 'Entries', Entries],
  ['verification', 'Verification', VerificationPanel],
  ['checkpoints', 'Checkpoints', Checkpoints],
] as const;

/** The audit log: searched, proved entry by entry, verified as a whole, and held against what was published of it. */
export default function Audit() {
  const [params, setParams] = useSearchParams();
  const asked = params.get('tab');
  const tab = TABS.find(([name]) => name === asked)?.[0] ?? 'entries';
  return (
    <Page title="Audit log">
      <Tabs value={tab} onChange={(next) => setParams({ tab: next ?? 'entries' })} keepMounted={false}>
        <Tabs.List mb="md">
          {TABS.map(([name, label]) => (
            <Tabs.Tab key={name} value={name}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {TABS.map(([name, , Panel]) => (
          <Tabs.Panel key={name} value={name}>
            <Panel />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}
