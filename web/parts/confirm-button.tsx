import { Alert, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { type ReactNode, useState } from 'react';
import { problemText } from './problem.tsx';

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

/** A button of something that is not undone, and so is asked for twice. What needs a reason has a `ReasonButton`. */
export function ConfirmButton(props: ConfirmButtonProps) {
  const { label, name, what, color, variant = 'default', size = 'sm', keepLabel = 'Cancel', onConfirm } = props;
  const [opened, { open, close }] = useDisclosure();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  async function confirm(): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      await onConfirm();
      close();
    } catch (error) {
      setProblem(problemText(error));
    } finally {
      setBusy(false);
    }
  }

  /** While the call runs, a dialog for a second factor may stand before this one: Escape is for that. */
  const leave = () => {
    if (!busy) close();
  };

  return (
    <>
      <Button variant={variant} size={size} onClick={open} aria-label={name}>
        {label}
      </Button>
      <Modal opened={opened} onClose={leave} title={name ?? label} centered>
        <Stack>
          <Text size="sm">{what}</Text>
          {props.children}
          {problem !== undefined && (
            <Alert role="alert" color="red" variant="light">
              {problem}
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={leave} data-autofocus>
              {keepLabel}
            </Button>
            <Button color={color} loading={busy} onClick={() => void confirm()}>
              {label}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
