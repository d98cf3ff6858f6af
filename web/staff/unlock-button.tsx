import { notifications } from '@mantine/notifications';
import { useChange } from '../calls.ts';
import { ReasonButton } from '../parts/reason-dialog.tsx';
import { useMe } from '../session/session.tsx';

interface UnlockButtonProps {
  readonly userId: string;
  /** Who it is, in the dialog. */
  readonly name?: string;
  readonly size?: string;
}

/** Ends a lock before its time. Nothing for who may not: administrators alone do it. */
export function UnlockButton({ userId, name = 'The account', size = 'xs' }: UnlockButtonProps) {
  const { role } = useMe();
  const unlock = useChange('unlockAccount', {
    changes: ['getAuthDashboard', 'listAccounts', 'getAccount', 'getOverviewDashboard'],
  });
  if (role !== 'admin') return null;
  return (
    <ReasonButton
      label="Unlock"
      size={size}
      what={`${name} can sign in again at once, and wrong passwords are counted from zero.`}
      onConfirm={async (reason) => {
        await unlock.mutateAsync({ path: { user_id: userId }, body: { reason } });
        notifications.show({ message: `${name} is unlocked.`, color: 'green' });
      }}
    />
  );
}
