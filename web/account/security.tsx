import { SimpleGrid } from '@mantine/core';
import { type Body, useRead } from '../calls.ts';
import { Figures } from '../parts/facts.tsx';
import { Page } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { useMe } from '../session/session.tsx';
import { BrowserKeySection } from './browser-key.tsx';
import { Authenticator } from './security/authenticator.tsx';
import { Devices } from './security/devices.tsx';
import { Passkeys } from './security/passkeys.tsx';
import { Password } from './security/password.tsx';
import { RecoveryCodes } from './security/recovery-codes.tsx';
import { SecurityQuestions } from './security/security-questions.tsx';
import { Sessions } from './security/sessions.tsx';
import { SigningKeys } from './security/signing-keys.tsx';

type Mfa = Body<'getMfa'>;

/** How somebody proves who they are, and where they are signed in: of staff and customers alike. */
export default function Security() {
  const mfa = useRead('getMfa', {});
  return (
    <Page title="Security">
      <Read query={mfa}>{(found) => <Factors mfa={found} />}</Read>
      <Sessions />
      <Devices />
      <BrowserKeySection />
      <SigningKeys />
    </Page>
  );
}

function Factors({ mfa }: { mfa: Mfa }) {
  const { email } = useMe();
  const { totp, webauthn, recoveryCodes, securityQuestions } = mfa;
  const hasStrong = totp.enrolled || webauthn.passkeys > 0;
  return (
    <>
      <Figures
        figures={[
          {
            label: 'Second factor',
            value: hasStrong ? 'Device' : 'Mailbox',
            hint: hasStrong ? 'An app or a passkey' : `Codes go to ${email}`,
            alarm: !hasStrong,
          },
          { label: 'Authenticator', value: totp.enrolled ? 'Set up' : 'None' },
          { label: 'Passkeys', value: webauthn.passkeys },
          {
            label: 'Recovery codes',
            value: recoveryCodes.left,
            hint: 'Not used yet',
            alarm: hasStrong && recoveryCodes.left === 0,
          },
        ]}
      />
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
        <Password />
        <Authenticator enrolledAt={totp.confirmedAt} />
        <Passkeys />
        <RecoveryCodes left={recoveryCodes.left} isPossible={hasStrong} />
      </SimpleGrid>
      {securityQuestions.offered && <SecurityQuestions set={securityQuestions.set} />}
    </>
  );
}
