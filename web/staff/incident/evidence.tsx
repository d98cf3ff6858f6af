import { Alert, Anchor, Button, Code, Group, Loader, NumberInput, Stack, Text } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { type Item, useChange, usePages } from '../../calls.ts';
import { StatusBadge } from '../../parts/badges.tsx';
import { words } from '../../parts/filters.tsx';
import { Section } from '../../parts/page.tsx';
import { Person } from '../../parts/people.tsx';
import { Problem, problemText } from '../../parts/problem.tsx';
import { Time } from '../../parts/time.tsx';
import { WorkflowLink } from '../../parts/workflow-link.tsx';

type Bundle = Item<'listIncidentEvidence'>;

const HOURS = { default: 24, most: 720 };

/** What the audit log holds about an incident, in bundles that can be verified elsewhere. For auditors and administrators. */
export function Evidence({ incidentId }: { incidentId: string }) {
  const path = { incidentId };
  const bundles = usePages('listIncidentEvidence', { path });
  const [hours, setHours] = useState<number | string>(HOURS.default);
  const [problem, setProblem] = useState<string>();
  const request = useChange('createIncidentEvidence', { changes: ['listIncidentEvidence'] });

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (request.isPending) return;
    setProblem(undefined);
    try {
      await request.mutateAsync({ path, body: { windowHours: Number(hours) } });
    } catch (error) {
      setProblem(problemText(error));
    }
  }

  return (
    <Section title="Evidence" hint="Entries of the audit log in a bundle that tradeguard-verify verifies">
      <Stack gap="md">
        <form onSubmit={(event) => void submit(event)} aria-busy={request.isPending}>
          <Group align="flex-end" gap="sm">
            <NumberInput
              label="Hours before the incident"
              min={1}
              max={HOURS.most}
              allowDecimal={false}
              required
              value={hours}
              onChange={setHours}
              w={230}
            />
            <Button type="submit" variant="default">
              Request a bundle
            </Button>
            {request.isPending && (
              <Group gap={6} role="status">
                <Loader size="xs" aria-hidden />
                <Text size="sm">Gathering entries</Text>
              </Group>
            )}
          </Group>
        </form>
        {problem !== undefined && (
          <Alert role="alert" color="red" variant="light">
            {problem}
          </Alert>
        )}
        {bundles.isError && <Problem error={bundles.error} onRetry={() => void bundles.refetch()} />}
        {bundles.isSuccess && bundles.items.length === 0 && (
          <Text size="sm" c="dimmed">
            No bundle was requested yet.
          </Text>
        )}
        <ul className="entries" aria-label="Bundles">
          {bundles.items.map((bundle) => (
            <BundleItem key={bundle.bundleId} bundle={bundle} />
          ))}
        </ul>
        {bundles.hasNextPage && (
          <Group>
            <Button variant="default" size="xs" onClick={bundles.more}>
              Show more
            </Button>
          </Group>
        )}
      </Stack>
    </Section>
  );
}

function BundleItem({ bundle: one }: { bundle: Bundle }) {
  const { bundle } = one;
  const cancel = useChange('cancelIncidentEvidence', { changes: ['listIncidentEvidence'] });
  const [problem, setProblem] = useState<string>();
  const isUnderWay = one.status === 'requested' || one.status === 'running';

  async function stop(): Promise<void> {
    setProblem(undefined);
    try {
      await cancel.mutateAsync({ path: { incidentId: one.incidentId, bundleId: one.bundleId } });
    } catch (error) {
      setProblem(problemText(error));
    }
  }

  return (
    <li>
      <Group gap="xs">
        <StatusBadge status={one.status} code={one.reason} />
        <Text size="xs" c="dimmed">
          <Person id={one.requestedBy} />, <Time at={one.requestedAt} />, {one.windowHours} h before
        </Text>
        {isUnderWay && (
          <>
            <Loader size="xs" aria-hidden />
            <Button size="compact-sm" variant="default" onClick={() => void stop()}>
              Cancel
            </Button>
          </>
        )}
        {bundle !== null && (
          <Anchor
            href={`/api/admin/security/incidents/${one.incidentId}/evidence/${one.bundleId}/download`}
            download
            fz="sm"
          >
            Download ({Math.ceil(bundle.bytes / 1024)} KiB)
          </Anchor>
        )}
        <WorkflowLink workflowId={one.workflowId} />
      </Group>
      {problem !== undefined && (
        <Alert role="alert" color="red" variant="light">
          {problem}
        </Alert>
      )}
      {bundle !== null && (
        <>
          <Text size="sm">
            {bundle.entries} entries
            {bundle.pending > 0 && `, ${bundle.pending} without a seal yet`}
            {bundle.found > bundle.entries + bundle.pending && `, of ${bundle.found} that belong to it`}
          </Text>
          {bundle.valid ? (
            <Text size="sm" c="dimmed">
              The log around them is intact.
            </Text>
          ) : (
            <Alert color="red" variant="light" title="The log was changed">
              {bundle.reason === null ? 'It does not verify' : words(bundle.reason)}
              {bundle.firstInvalidSeq !== null && `, from entry ${bundle.firstInvalidSeq} on`}.
            </Alert>
          )}
          <Text size="xs" c="dimmed">
            SHA-256 <Code>{bundle.sha256}</Code>
          </Text>
        </>
      )}
    </li>
  );
}
