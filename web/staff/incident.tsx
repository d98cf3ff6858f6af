import './case.css';
import { Button, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useParams } from 'react-router';
import { type Body, useChange, useRead } from '../calls.ts';
import { SeverityBadge, StatusBadge } from '../parts/badges.tsx';
import { Facts } from '../parts/facts.tsx';
import { words } from '../parts/filters.tsx';
import { Id } from '../parts/id.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Person } from '../parts/people.tsx';
import { Problem, problemText } from '../parts/problem.tsx';
import { Read } from '../parts/read.tsx';
import { ReasonButton } from '../parts/reason-dialog.tsx';
import { Time } from '../parts/time.tsx';
import { WorkflowLink } from '../parts/workflow-link.tsx';
import { useMe } from '../session/session.tsx';
import { Evidence } from './incident/evidence.tsx';
import { Subject } from './incident/subject.tsx';
import { EventTimeline } from './incident/timeline.tsx';

type Incident = Body<'getIncident'>;

const LIST = { path: '/console/incidents', label: 'Incidents' };
const CHANGES = ['getIncident', 'listIncidents'] as const;

/** One incident: what it is about, what happened, and what can be done. */
export default function IncidentPage() {
  const { incidentId = '' } = useParams();
  const incident = useRead('getIncident', { path: { incidentId } });
  if (incident.data === undefined) {
    return (
      <Page title="Incident" parent={LIST}>
        <Read query={incident}>{() => null}</Read>
      </Page>
    );
  }
  return <Shown incident={incident.data} problem={incident.error} />;
}

function Shown({ incident, problem }: { incident: Incident; problem: unknown }) {
  const { role } = useMe();
  return (
    <Page
      title={incident.title}
      parent={LIST}
      actions={
        <>
          <SeverityBadge severity={incident.severity} />
          <StatusBadge status={incident.status} />
          <WorkflowLink workflowId={incident.workflowId} />
          {(role === 'reviewer' || role === 'admin') && <Actions incident={incident} />}
        </>
      }
    >
      {problem !== null && problem !== undefined && <Problem error={problem} />}
      <div className="case">
        <Stack gap="lg">
          <Section title="Timeline">
            <EventTimeline events={incident.timeline} label="Timeline of the incident" />
          </Section>
          {(role === 'auditor' || role === 'admin') && <Evidence incidentId={incident.incidentId} />}
        </Stack>
        <Stack gap="lg">
          <Section title="Facts">
            <Facts
              facts={[
                ['About', <Subject key="subject" incident={incident} />],
                ['Cause', words(incident.cause)],
                ['Opened', <Time key="opened" at={incident.openedAt} />],
                ['With', incident.assignedTo === null ? 'nobody' : <Person key="with" id={incident.assignedTo} />],
                ['Escalations', incident.escalations],
                ['Incident', <Id key="id" id={incident.incidentId} what="id of the incident" />],
              ]}
            />
          </Section>
          {incident.resolvedAt !== null && (
            <Section title="Resolution">
              <Text size="sm" className="written">
                {incident.resolution}
              </Text>
              <Text size="xs" c="dimmed" mt={4}>
                {incident.resolvedBy === null ? 'by itself' : <Person id={incident.resolvedBy} />},{' '}
                <Time at={incident.resolvedAt} />
              </Text>
            </Section>
          )}
        </Stack>
      </div>
    </Page>
  );
}

/** Taking it up ends its escalation; resolving it needs a reason. */
function Actions({ incident: { incidentId, status } }: { incident: Incident }) {
  const investigate = useChange('investigateIncident', { changes: CHANGES });
  const resolve = useChange('resolveIncident', { changes: CHANGES });
  const path = { incidentId };

  async function takeUp(): Promise<void> {
    try {
      await investigate.mutateAsync({ path });
    } catch (error) {
      notifications.show({ title: 'Not taken up', message: problemText(error), color: 'red', autoClose: 10_000 });
    }
  }

  if (status === 'resolved') return null;
  return (
    <>
      {status === 'open' && (
        <Button variant="default" loading={investigate.isPending} onClick={() => void takeUp()}>
          Investigate
        </Button>
      )}
      <ReasonButton
        label="Resolve"
        variant="filled"
        reasonLabel="What it was, and what was done"
        what="The incident ends. What it is about is not changed by this."
        onConfirm={(resolution) => resolve.mutateAsync({ path, body: { resolution } })}
      />
    </>
  );
}
