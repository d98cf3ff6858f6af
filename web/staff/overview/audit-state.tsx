import { Alert, Anchor, Text } from '@mantine/core';
import { ExclamationTriangleIcon } from '@radix-ui/react-icons';
import { Link } from 'react-router';
import { StatusBadge } from '../../parts/badges.tsx';
import { Facts } from '../../parts/facts.tsx';
import { Section } from '../../parts/page.tsx';
import { Ago, durationText } from '../../parts/time.tsx';
import { useMe } from '../../session/session.tsx';
import type { Dashboard } from '../overview.tsx';

type Audit = Dashboard['audit'];

const mayAudit = (role: string): boolean => role === 'admin' || role === 'auditor';

/** Says that the audit log was tampered with, in a way that nobody overlooks; nothing while it verifies. */
export function TamperedLog({ verification }: { verification: Audit['verification'] }) {
  const { role } = useMe();
  if (verification === null || verification.valid) return null;
  const { firstInvalidSeq, reason, finishedAt } = verification;
  return (
    <Alert
      role="alert"
      color="red.9"
      variant="filled"
      className="tampered"
      icon={<ExclamationTriangleIcon aria-hidden width={24} height={24} />}
      title="The audit log does not verify"
    >
      <Text>
        {firstInvalidSeq === null ? 'It fails' : `The first entry that fails is number ${firstInvalidSeq}`}
        {reason === null ? '' : `: ${reason.replaceAll('_', ' ')}`}. Found <Ago at={finishedAt} />.
      </Text>
      <Text mt={4}>
        {mayAudit(role) ? (
          <Anchor component={Link} to="/console/audit" c="inherit" underline="always">
            Open the audit log
          </Anchor>
        ) : (
          'Tell an administrator or an auditor now.'
        )}
      </Text>
    </Alert>
  );
}

/** Whether the log is sealed, verified and published. */
export function AuditState({ audit: { sealer, verification, verificationRunning, checkpoint } }: { audit: Audit }) {
  const { role } = useMe();
  return (
    <Section
      title="Audit log"
      actions={
        mayAudit(role) && (
          <Anchor component={Link} to="/console/audit">
            Open the audit log
          </Anchor>
        )
      }
    >
      <Facts
        facts={[
          ['Verified', verifiedText(verification, verificationRunning)],
          ['Sealed up to', sealer.lastSeq === null ? 'nothing yet' : `entry ${sealer.lastSeq}`],
          ['Last seal', <Ago key="seal" at={sealer.lastSealedAt} />],
          [
            'Waits for a seal',
            sealer.unsealed === 0
              ? 'nothing'
              : `${sealer.unsealed} entries, the oldest for ${durationText(sealer.oldestUnsealedMs)}`,
          ],
          ['Checkpoint', checkpointText(checkpoint)],
        ]}
      />
    </Section>
  );
}

function verifiedText(verification: Audit['verification'], isRunning: boolean) {
  return (
    <>
      {verification === null ? (
        'never'
      ) : (
        <>
          <StatusBadge status={verification.valid ? 'valid' : 'invalid'} /> {verification.checked} entries,{' '}
          {verification.mode}, <Ago at={verification.finishedAt} />
        </>
      )}
      {isRunning && '; one is running'}
    </>
  );
}

function checkpointText(checkpoint: Audit['checkpoint']) {
  if (checkpoint === null) return 'none was published';
  const { name, size, recordedAt, witness, failedPlaces } = checkpoint;
  return (
    <>
      {name}, {size} entries, <Ago at={recordedAt} />
      {witness !== 'none' && <>; witness: {witness}</>}
      {failedPlaces.length > 0 && (
        <Text span inherit c="var(--mantine-color-error)">
          ; not published to {failedPlaces.join(', ')}
        </Text>
      )}
    </>
  );
}
