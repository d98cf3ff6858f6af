import { Alert, Anchor, Button, Group, NumberInput, Radio, Stack, Text } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import type { Input } from '../../client/index.ts';
import { type Body, useChange, useRead } from '../calls.ts';
import { StatusBadge } from '../parts/badges.tsx';
import { Facts } from '../parts/facts.tsx';
import { Section } from '../parts/page.tsx';
import { problemText } from '../parts/problem.tsx';
import { Read } from '../parts/read.tsx';
import { RunProgress } from '../parts/run-progress.tsx';
import { Time } from '../parts/time.tsx';
import { changed } from './entries.tsx';
import { findingText } from './findings.ts';

type Verification = Body<'getAuditVerification'>;

const MODES = [
  ['full', 'Everything', 'every text, MAC, link and the whole tree'],
  ['incremental', 'What is new', 'on from the longest published checkpoint that was verified before'],
  ['range', 'A range', 'from one entry to another'],
] as const;
type Mode = (typeof MODES)[number][0];

/** Starts a verification of the log, follows it, and shows what it found. Which one is in the address. */
export function VerificationPanel() {
  const [params, setParams] = useSearchParams();
  const id = params.get('verification');
  const start = useChange('verifyAuditChain', {
    // Answered at once: how far it is comes with the live events.
    headers: { Prefer: 'respond-async' },
    onDone: ({ body }) => {
      if ('verificationId' in body) setParams(changed(params, { verification: body.verificationId }));
    },
  });
  return (
    <Stack>
      <Section
        title="Verify the log"
        hint="Recomputes what is stored and holds it against every published checkpoint that still binds."
      >
        <StartForm busy={start.isPending} onStart={(body) => start.mutate({ body })} />
        {start.isError && (
          <Alert role="alert" color="red" variant="light" mt="sm">
            {problemText(start.error)}
          </Alert>
        )}
      </Section>
      {id !== null && <Followed key={id} id={id} />}
      <Text size="sm">
        <Anchor component={Link} to="?tab=entries&action=audit.verified">
          Earlier verifications
        </Anchor>{' '}
        are entries of the log.
      </Text>
    </Stack>
  );
}

function StartForm({
  busy,
  onStart,
}: {
  busy: boolean;
  onStart: (body: NonNullable<Input<'verifyAuditChain'>['body']>) => void;
}) {
  const [mode, setMode] = useState<Mode>('full');
  const [from, setFrom] = useState<number | string>(0);
  const [to, setTo] = useState<number | string>('');

  function start(event: FormEvent): void {
    event.preventDefault();
    if (mode === 'full') onStart({});
    else if (mode === 'incremental') onStart({ incremental: true });
    else onStart({ from: Number(from), ...(to === '' ? {} : { to: Number(to) }) });
  }

  return (
    <form onSubmit={start}>
      <Radio.Group label="What to verify" value={mode} onChange={(value) => setMode(value as Mode)}>
        <Stack gap="xs" mt="xs">
          {MODES.map(([value, label, description]) => (
            <Radio key={value} value={value} label={label} description={description} />
          ))}
        </Stack>
      </Radio.Group>
      {mode === 'range' && (
        <Group mt="sm" align="flex-start">
          <NumberInput
            label="First entry"
            value={from}
            onChange={setFrom}
            min={0}
            allowDecimal={false}
            required
            w={160}
          />
          <NumberInput
            label="Entry behind the last"
            placeholder="end of the log"
            value={to}
            onChange={setTo}
            min={Number(from) + 1}
            allowDecimal={false}
            w={200}
          />
        </Group>
      )}
      <Button type="submit" mt="md" loading={busy}>
        Verify
      </Button>
    </form>
  );
}

function Followed({ id }: { id: string }) {
  const read = useRead('getAuditVerification', { path: { id } });
  return (
    <Section title="Verification" actions={read.data && <StatusBadge status={read.data.status} />}>
      <Read query={read}>
        {(run) => (
          <Stack gap="md">
            {run.finishedAt === null ? <Running run={run} /> : <Result run={run} />}
            <Facts
              facts={[
                ['What', run.mode],
                ['Entries', run.from === null ? 'not known yet' : `${run.from} to ${(run.to ?? 0) - 1}`],
                ['Checked', run.checked],
                ['Waiting for a seal', run.unsealed ?? '–'],
                ['In cold storage', run.archived ?? '–'],
                ['Requested', <Time key="requested" at={run.requestedAt} />],
                ['Finished', <Time key="finished" at={run.finishedAt} />],
              ]}
            />
          </Stack>
        )}
      </Read>
    </Section>
  );
}

function Running({ run }: { run: Verification }) {
  const { mutate, isPending, error } = useChange('cancelAuditVerification', { changes: ['getAuditVerification'] });
  return (
    <RunProgress
      label="Entries checked"
      done={run.checked}
      total={run.total}
      unit="entries"
      cancel={{ isPending, error, run: () => mutate({ path: { id: run.verificationId } }) }}
    />
  );
}

/** What came of it. A log that is not sound cannot be overlooked. */
function Result({ run }: { run: Verification }) {
  const { status, checked, reason, firstInvalidSeq, mode } = run;
  if (status === 'valid') {
    return (
      <Alert role="status" color="green" variant="light" title="The log is what was written">
        {checked} entries are sound
        {mode === 'full' ? ', and these are all that are sealed.' : '. Nothing is said of others.'}
      </Alert>
    );
  }
  if (status === 'invalid') {
    return (
      <Alert
        role="alert"
        color="red"
        variant="filled"
        className="alarm"
        title={
          firstInvalidSeq === undefined
            ? 'THE LOG WAS TAMPERED WITH'
            : `THE LOG WAS TAMPERED WITH: entry ${firstInvalidSeq}`
        }
      >
        <Text>{reason === undefined ? '' : findingText(reason)}</Text>
        <Text size="sm" mt={4}>
          Reason: <strong>{reason}</strong>. Preserve first: see Audit violation in the incident response plan.
        </Text>
        {firstInvalidSeq !== undefined && (
          <Anchor component={Link} to={`?tab=entries&entry=${firstInvalidSeq}`} c="inherit" underline="always" fw={600}>
            Look at entry {firstInvalidSeq}
          </Anchor>
        )}
      </Alert>
    );
  }
  return (
    <Alert role="status" color="gray" variant="light" title={status === 'cancelled' ? 'It was cancelled' : 'It failed'}>
      {status === 'cancelled'
        ? `${checked} entries had been checked.`
        : `Nothing is known of the log: ${reason ?? 'no reason'}.`}
    </Alert>
  );
}
