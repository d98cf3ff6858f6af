import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Refused } from './refused.tsx';

interface ConfirmButtonProps {
  /** On the button, and the title of the dialog. */
  readonly label: string;
  /** Tells the button from others of its kind: `End the session of …`. */
  readonly name?: string;
  /** What will happen. */
  readonly what: ReactNode;
  readonly color?: string;
  readonly variant?: string;
  readonly size?: string;
  /** On the button that leaves everything as it is. */
  readonly keepLabel?: string;
  /** Fields of the call. */
  readonly children?: ReactNode;
  /** Rejects where the call is refused: the dialog stays open and says why. */
  readonly onConfirm: () => Promise<unknown>;
}

/**
 * A button of something that is not undone, and so is asked for twice. What needs a reason has a `ReasonButton`. A dialog is of
 * the one thing that its label names: where that changes, by its own doing or somebody else's, it is gone, and does not turn
 * into another under a second click.
 */
export function ConfirmButton(props: ConfirmButtonProps) {
  return <Confirm key={props.label} {...props} />;
}

function Confirm(props: ConfirmButtonProps) {
  const { label, name, what, color, variant = 'default', size = 'sm', keepLabel = 'Cancel', onConfirm } = props;
  const [opened, { open, close }] = useDisclosure();
  const sending = useMutation({
    mutationFn: () => onConfirm(),
    onSuccess: close,
  });
  /** What an earlier try was answered with is no news any more. */
  const begin = () => {
    sending.reset();
    open();
  };

  /** While the call runs, a dialog for a second factor may stand before this one: Escape is for that. */
  const leave = () => {
    if (!sending.isPending) close();
  };

  return (
    <>
      <Button variant={variant} size={size} onClick={begin} aria-label={name}>
        {label}
      </Button>
      <Modal opened={opened} onClose={leave} title={name ?? label} centered>
        <Stack>
          <Text size="sm">{what}</Text>
          {props.children}
          <Refused error={sending.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={leave} data-autofocus>
              {keepLabel}
            </Button>
            {/* While it fades it is still there to be clicked. */}
            <Button color={color} loading={sending.isPending} onClick={() => opened && sending.mutate()}>
              {label}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
