import { Stack, Tabs, Text } from '@mantine/core';
import { Suspense } from 'react';
import { useParams, useSearchParams } from 'react-router';
import { useRead } from '../calls.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { Facts } from '../parts/facts.tsx';
import { Id } from '../parts/id.tsx';
import { Page } from '../parts/page.tsx';
import { Loading, Read } from '../parts/read.tsx';
import { Time } from '../parts/time.tsx';
import { Backtests } from '../rule-sets/backtests.tsx';
import { Diff } from '../rule-sets/diff.tsx';
import { Draft, Editor } from '../rule-sets/draft.tsx';
import { LifeActions, ProposalNote, type RuleSetDetail } from '../rule-sets/life.tsx';
import { Shadow } from '../rule-sets/shadow.tsx';
import { Story } from '../rule-sets/story.tsx';
import { useMe } from '../session/session.tsx';

const TABS = [
  ['document', 'Document'],
  ['diff', 'Differences'],
  ['shadow', 'Shadow'],
  ['backtests', 'Back-tests'],
  ['story', 'History'],
  ['edit', 'New version'],
] as const;

/** One version: what it says, what it would do, and its way to the decisions. */
export default function RuleSet() {
  const { version = '' } = useParams();
  const ruleSet = useRead('getRuleSet', { path: { version } });
  return (
    <Page
      title={version}
      parent={{ path: '/console/rule-sets', label: 'Rule sets' }}
      actions={ruleSet.data && <LifeActions ruleSet={ruleSet.data} />}
    >
      <Read query={ruleSet}>{(found) => <Known ruleSet={found} />}</Read>
    </Page>
  );
}

function Known({ ruleSet }: { ruleSet: RuleSetDetail }) {
  const me = useMe();
  const [params, setParams] = useSearchParams();
  const { version, title, status, rules, origin, createdAt, createdBy, statusAt, lately, sha256 } = ruleSet;
  const tabs = TABS.filter(([name]) => name !== 'edit' || me.role === 'admin');
  const asked = params.get('tab');
  const tab = tabs.find(([name]) => name === asked)?.[0] ?? 'document';
  return (
    <Stack gap="md">
      <ProposalNote ruleSet={ruleSet} />
      <Facts
        facts={[
          ['Status', <StatusBadge key="status" status={status} />],
          ['Title', title],
          ['Since', <Time key="since" at={statusAt} />],
          ['Decided in 24 h', `${lately.decided}, of them held ${lately.held}`],
        ]}
      />
      <Tabs value={tab} onChange={(next) => setParams({ tab: next ?? 'document' })} keepMounted={false}>
        <Tabs.List mb="md">
          {tabs.map(([name, label]) => (
            <Tabs.Tab key={name} value={name}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="document">
          <Text size="sm" c="dimmed" mb="xs">
            {typeof ruleSet.document.description === 'string' ? ruleSet.document.description : ''}
          </Text>
          <Suspense fallback={<Loading />}>
            <Editor
              key={version}
              label={`Document of ${version}`}
              initial={JSON.stringify(ruleSet.document, null, 2)}
              readOnly
            />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="diff">
          <Diff version={version} />
        </Tabs.Panel>
        <Tabs.Panel value="shadow">
          <Shadow version={version} />
        </Tabs.Panel>
        <Tabs.Panel value="backtests">
          <Backtests version={version} />
        </Tabs.Panel>
        <Tabs.Panel value="story">
          <Stack>
            <Facts
              facts={[
                ['Rules', rules],
                ['Made', origin === 'published' ? 'with the program' : <Time key="made" at={createdAt} />],
                ['Made by', createdBy === null ? '–' : <Id key="by" id={createdBy} what="author’s id" />],
                ['SHA-256', <Id key="sha256" id={sha256} what="hash" />],
              ]}
            />
            <Story events={ruleSet.events} />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="edit">
          <Draft key={version} version={version} document={ruleSet.document} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
