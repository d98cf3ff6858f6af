import { Alert, Button, Code, Group, Modal, Stack, Text } from '@mantine/core';
import { CopyText } from '../../parts/copy-text.tsx';

interface OneTimePasswordProps {
  /** Whom it is for; undefined closes. */
  readonly shown: { readonly email: string; readonly password: string } | undefined;
  readonly onClose: () => void;
}

/** A one-time password, which nobody can read again: closed by its button alone. */
export function OneTimePassword({ shown, onClose }: OneTimePasswordProps) {
  return (
    <Modal
      opened={shown !== undefined}
      onClose={onClose}
      title="One-time password"
      centered
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
    >
      <Stack>
        <Text size="sm">Give it to {shown?.email} by a way that you trust. They choose one of their own with it.</Text>
        <Group gap="xs">
          <Code fz="lg">{shown?.password}</Code>
          <CopyText text={shown?.password ?? ''} what="one-time password" />
        </Group>
        <Alert color="yellow" variant="light">
          It is shown only now.
        </Alert>
        <Group justify="flex-end">
          <Button onClick={onClose} data-autofocus>
            I have it
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
