import { Stack, Text, Timeline, Title } from '@mantine/core';
import { type Body, useChange, useRead } from '../../calls.ts';
import { AccountLink } from '../../parts/account-link.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { Facts } from '../../parts/facts.tsx';
import { Section } from '../../parts/page.tsx';
import { Read } from '../../parts/read.tsx';
import { ReasonButton } from '../../parts/reason-dialog.tsx';
import { Time } from '../../parts/time.tsx';
import { useMe } from '../../session/session.tsx';
import type { Account } from '../account.tsx';
import { ACCOUNT_READS } from './reads.ts';

type RestrictionOf = Body<'getRestriction'>;
type Step = NonNullable<RestrictionOf['nextStep']>;

/** The way back, in this order (domain/restriction.ts): what each step is, and what its button does. */
const STEPS: Readonly<Record<Step, { title: string; button: string; what: string }>> = {
  identity_verified: {
    title: 'Identity verified',
    button: 'Identity is verified',
    what: 'Say where it is written down how you made sure that this is the owner.',
  },
  password_reset: {
    title: 'Password replaced by the owner',
    button: 'Send the link for a new password',
    what: 'The owner gets a letter with a link, which works for an hour. The step is done when they have chosen a password.',
  },
  factors_enrolled: {
    title: 'New authenticator enrolled by the owner',
    button: 'Send the link for a new authenticator',
    what: 'The owner gets a letter with a link, which works for an hour. The step is done when a code of the new authenticator was right.',
  },
  restored: {
    title: 'Restored',
    button: 'Restore the account',
    what: 'The owner can sign in and trade again.',
  },
};
const ORDER = Object.keys(STEPS) as readonly Step[];

/** Why an account is frozen, how far its recovery is, and its next step. */
export function Restriction({ account }: { account: Account }) {
  const restriction = useRead('getRestriction', { path: { user_id: account.userId } });
  return (
    <Section title="Restriction" hint="Nobody signs in to the account, and no money moves.">
      <Read query={restriction}>
        {(data) => (
          <>
            <Facts facts={factsOf(data)} />
            <Title order={3} size="h5">
              Recovery
            </Title>
            <Timeline active={ORDER.filter((step) => doneAt(data, step) !== null).length - 1} bulletSize={18}>
              {ORDER.map((step) => (
                <Timeline.Item key={step} title={STEPS[step].title}>
                  <StepState restriction={data} step={step} />
                </Timeline.Item>
              ))}
            </Timeline>
            <NextStep restriction={data} />
          </>
        )}
      </Read>
    </Section>
  );
}

function factsOf(data: RestrictionOf): readonly (readonly [string, React.ReactNode])[] {
  const { origin, restrictedBy, indicators } = data;
  return [
    ['Since', <Time key="since" at={data.startedAt} />],
    [
      'By',
      origin === 'admin' && restrictedBy !== null ? <AccountLink key="by" userId={restrictedBy} /> : 'its indicators',
    ],
    ['Reason', data.reason],
    ...(indicators.length === 0
      ? []
      : [
          [
            'Indicators',
            <Stack key="indicators" gap={2}>
              {indicators.map(({ kind, at }) => (
                <span key={`${kind} ${at}`}>
                  {kind.replaceAll('_', ' ')}, <Time at={at} />
                </span>
              ))}
            </Stack>,
          ] as const,
        ]),
  ];
}

/** The last time that a step was asked for: a letter may have been sent again. */
const lastOf = ({ steps }: RestrictionOf, step: Step) => steps.findLast((one) => one.step === step);
const doneAt = (restriction: RestrictionOf, step: Step): string | null =>
  restriction.steps.find((one) => one.step === step && one.doneAt !== null)?.doneAt ?? null;

function StepState({ restriction, step }: { restriction: RestrictionOf; step: Step }) {
  const done = doneAt(restriction, step);
  const last = lastOf(restriction, step);
  if (last === undefined)
    return (
      <Text size="sm" c="dimmed">
        {restriction.nextStep === step ? 'next' : 'not yet'}
      </Text>
    );
  return (
    <Text size="sm" c="dimmed">
      {done === null ? (
        <>
          waits for the owner; sent <Time at={last.begunAt ?? last.requestedAt} />
        </>
      ) : (
        <>
          done <Time at={done} />
        </>
      )}
      {last.caseReference !== null && `, ${last.caseReference}`}, by <AccountLink userId={last.requestedBy} />
    </Text>
  );
}

/** The button of the step that comes next; a letter that got lost is sent again. Nobody restores their own account. */
function NextStep({ restriction }: { restriction: RestrictionOf }) {
  const { role, userId: own } = useMe();
  const restore = useChange('restoreAccount', { changes: ACCOUNT_READS });
  const { nextStep, userId } = restriction;
  if (role !== 'admin' || nextStep === null || userId === own) return null;
  const path = { user_id: userId };
  const { button, what } = STEPS[nextStep];
  if (nextStep === 'identity_verified') {
    return (
      <div>
        <ReasonButton
          label={button}
          what={what}
          reasonLabel="Case reference"
          onConfirm={(caseReference) => restore.mutateAsync({ path, body: { step: nextStep, caseReference } })}
        />
      </div>
    );
  }
  return (
    <div>
      <ConfirmButton
        label={lastOf(restriction, nextStep) === undefined ? button : `${button} again`}
        what={what}
        onConfirm={() => restore.mutateAsync({ path, body: { step: nextStep } })}
      />
    </div>
  );
}
