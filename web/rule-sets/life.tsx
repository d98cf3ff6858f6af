import { Alert, Group, Select, Text } from '@mantine/core';
import { useState } from 'react';
import { type Body, useChange, usePages } from '../calls.ts';
import { ConfirmButton } from '../parts/confirm-button.tsx';
import { Id } from '../parts/id.tsx';
import { ReasonButton } from '../parts/reason-dialog.tsx';
import { Time } from '../parts/time.tsx';
import { useMe } from '../session/session.tsx';

export type RuleSetDetail = Body<'getRuleSet'>;

const CHANGES = ['getRuleSet', 'listRuleSets'] as const;

/** What an administrator may do with a version, as its state allows. */
export function LifeActions({ ruleSet }: { ruleSet: RuleSetDetail }) {
  const me = useMe();
  const shadow = useChange('shadowRuleSet', { changes: CHANGES });
  const retire = useChange('retireRuleSet', { changes: CHANGES });
  if (me.role !== 'admin') return null;
  const { version, status, proposal } = ruleSet;
  const path = { version };
  return (
    <Group gap="xs">
      {(status === 'draft' || status === 'retired') && (
        <ConfirmButton
          label="Put in the shadow"
          what={`${version} judges beside every decision from now on, without effect.`}
          onConfirm={() => shadow.mutateAsync({ path })}
        />
      )}
      {(status === 'shadow' || status === 'retired') && <Propose ruleSet={ruleSet} />}
      {proposal !== null && proposal.proposedBy !== me.userId && ruleSet.createdBy !== me.userId && (
        <Approve ruleSet={ruleSet} />
      )}
      {(status === 'draft' || status === 'shadow') && (
        <ConfirmButton
          label="Retire"
          color="red"
          what={`${version} is taken out of use. It can be put in the shadow again.`}
          onConfirm={() => retire.mutateAsync({ path })}
        />
      )}
    </Group>
  );
}

/** Needs a back-test of this very version that is fresh; the server says where one is not. */
function Propose({ ruleSet: { version, status } }: { ruleSet: RuleSetDetail }) {
  const backtests = usePages('listBacktests', { path: { version } });
  const propose = useChange('proposeRuleSet', { changes: CHANGES });
  const reports = backtests.items.filter((one) => one.status === 'succeeded');
  const [chosen, setChosen] = useState<string | null>(null);
  const reportId = chosen ?? reports[0]?.backtestId;
  return (
    <ReasonButton
      label={status === 'retired' ? 'Propose to bring back' : 'Propose for the decisions'}
      variant="filled"
      what={
        reportId === undefined
          ? 'A back-test of this version is needed first: make one below, under Back-tests.'
          : `Somebody else approves it. From then on ${version} decides, and the live version is retired.`
      }
      onConfirm={async (reason) => {
        if (reportId === undefined) throw new Error('Make a back-test of this version first.');
        await propose.mutateAsync({ path: { version }, body: { reason, reportId } });
      }}
    >
      {reports.length > 0 && (
        <Select
          label="Back-test"
          data={reports.map(({ backtestId, finishedAt, result }) => ({
            value: backtestId,
            label: `${new Date(finishedAt ?? '').toLocaleString()}, ${result?.rows ?? 0} transactions`,
          }))}
          value={reportId ?? null}
          allowDeselect={false}
          onChange={setChosen}
        />
      )}
    </ReasonButton>
  );
}

function Approve({ ruleSet: { version, proposal } }: { ruleSet: RuleSetDetail }) {
  const approve = useChange('approveRuleSet', { changes: CHANGES });
  return (
    <ReasonButton
      label="Approve"
      color="green"
      variant="filled"
      what={`${version} decides from now on, in place of ${proposal?.replaces}. Look at the differences and the back-test first.`}
      onConfirm={(reason) => approve.mutateAsync({ path: { version }, body: { reason } })}
    />
  );
}

/** That a version is proposed: by whom, why, and what is needed now. */
export function ProposalNote({ ruleSet: { proposal, createdBy } }: { ruleSet: RuleSetDetail }) {
  const me = useMe();
  if (proposal === null) return null;
  const mayNot =
    proposal.proposedBy === me.userId
      ? 'You proposed it: somebody else has to approve.'
      : createdBy === me.userId
        ? 'You wrote it: somebody else has to approve.'
        : me.role === 'admin'
          ? 'It waits for a second person: you can approve it.'
          : 'It waits for a second administrator.';
  return (
    <Alert color="yellow" variant="light" title={`Proposed in place of ${proposal.replaces}`}>
      <Text size="sm">{proposal.reason}</Text>
      <Group gap="xs" mt={4}>
        <Text size="sm" c="dimmed">
          By
        </Text>
        <Id id={proposal.proposedBy} what="proposer’s id" />
        <Text size="sm" c="dimmed">
          <Time at={proposal.proposedAt} />. {mayNot}
        </Text>
      </Group>
    </Alert>
  );
}
