import { notifications } from '@mantine/notifications';
import { useChange } from '../../calls.ts';
import { ReasonButton } from '../../parts/reason-dialog.tsx';
import { useMe } from '../../session/session.tsx';
import type { Account } from '../account.tsx';
import { UnlockButton } from '../unlock-button.tsx';
import { ACCOUNT_READS } from './reads.ts';

/** What an administrator does to somebody's account at once. Nobody restricts their own. */
export function AccountActions({ account }: { account: Account }) {
  const { role, userId: own } = useMe();
  const { userId, email } = account;
  const path = { user_id: userId };
  const restrict = useChange('restrictAccount', { changes: ACCOUNT_READS });
  const end = useChange('endAccountSessions', { changes: ACCOUNT_READS });
  if (role !== 'admin') return null;
  return (
    <>
      {account.lockout !== null && account.lockout.unlockRequestedBy === null && (
        <UnlockButton userId={userId} name={email} size="sm" />
      )}
      {account.openSessions > 0 && (
        <ReasonButton
          label="End all sessions"
          what={`${email} is signed out everywhere: ${account.openSessions} open sessions end.`}
          onConfirm={async (reason) => {
            const { body } = await end.mutateAsync({ path, body: { reason } });
            notifications.show({ message: `${body.ended} sessions ended.`, color: 'green' });
          }}
        />
      )}
      {account.restriction === null && userId !== own && (
        <ReasonButton
          label="Restrict"
          color="red"
          variant="filled"
          what={`${email} cannot sign in and moves no money until the recovery is done. Sessions and signing keys end now.`}
          onConfirm={async (reason) => {
            await restrict.mutateAsync({ path, body: { reason } });
            notifications.show({ message: `${email} is restricted.`, color: 'green' });
          }}
        />
      )}
    </>
  );
}
