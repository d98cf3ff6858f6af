import { Button, Code, Group, Stack, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { type Body, useChange } from '../../calls.ts';
import { CodeInput } from '../../parts/code-input.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { CopyText } from '../../parts/copy-text.tsx';
import { Section } from '../../parts/page.tsx';
import { QrCode } from '../../parts/qr-code.tsx';
import { Refused } from '../../parts/refused.tsx';
import { Time } from '../../parts/time.tsx';
import { useMe } from '../../session/session.tsx';
import { isStaff } from '../../shell/navigation.ts';

const CHANGED = ['getMfa'] as const;

/** The authenticator app: set it up with a code of it, or remove it. Staff keep theirs. */
export function Authenticator({ enrolledAt }: { enrolledAt: string | null }) {
  const { role } = useMe();
  const [secret, setSecret] = useState<Body<'enrolTotp'>>();
  const enrol = useChange('enrolTotp', { onDone: ({ body }) => setSecret(body) });
  const remove = useChange('removeTotp', { changes: CHANGED });
  return (
    <Section title="Authenticator app" hint="Codes of six digits from an app on your telephone.">
      {enrolledAt !== null && (
        <Stack gap="sm" align="flex-start">
          <Text size="sm">
            Set up since <Time at={enrolledAt} />.
          </Text>
          {isStaff(role) ? (
            <Text size="sm" c="dimmed">
              Staff keep theirs; an administrator resets one that is lost.
            </Text>
          ) : (
            <ConfirmButton
              label="Remove"
              name="Remove the authenticator"
              color="red"
              what="Without it and without a passkey, codes are sent to your e-mail address again, and recovery codes stop working."
              onConfirm={() => remove.mutateAsync({})}
            />
          )}
        </Stack>
      )}
      {enrolledAt === null && secret === undefined && (
        <Stack gap="sm" align="flex-start">
          <Text size="sm">None is set up.</Text>
          <Refused error={enrol.error} />
          <Button loading={enrol.isPending} onClick={() => enrol.mutate({})}>
            Set up an authenticator
          </Button>
        </Stack>
      )}
      {enrolledAt === null && secret !== undefined && <Confirm totp={secret} onLeave={() => setSecret(undefined)} />}
    </Section>
  );
}

function Confirm({ totp, onLeave }: { totp: Body<'enrolTotp'>; onLeave: () => void }) {
  const [code, setCode] = useState('');
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const confirm = useChange('confirmTotp', { changes: CHANGED, onDone: onLeave });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        confirm.mutate({ body: { code } });
      }}
    >
      <Stack gap="sm" align="flex-start">
        <Text size="sm">Scan this with the app, or enter the secret there; then write the code that it shows.</Text>
        <QrCode text={totp.otpauthUri} label="QR code of the secret" />
        <Group gap={4}>
          <Code aria-label="Secret">{totp.secret}</Code>
          <CopyText text={totp.secret} what="secret" />
        </Group>
        <CodeInput ref={field} value={code} onChange={setCode} />
        <Refused error={confirm.error} />
        <Group gap="xs">
          <Button type="submit" disabled={code.length !== 6} loading={confirm.isPending}>
            Confirm the code
          </Button>
          <Button variant="default" onClick={onLeave}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
