import { Alert, Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { type ReactNode, useState } from 'react';
import { problemText } from './problem.tsx';

interface ReasonButtonProps {
  /** On the button, and the title of the dialog. */
  readonly label: string;
  /** What will happen. */
  readonly what: ReactNode;
  readonly color?: string;
  readonly variant?: string;
  readonly size?: string;
  readonly disabled?: boolean;
  readonly reasonLabel?: string;
  /** Where it ends up, if not only in the audit log. */
  readonly reasonHint?: string;
  /** Further fields of the call. */
  readonly children?: ReactNode;
  /** Rejects where the call is refused: the dialog stays open and says why. */
  readonly onConfirm: (reason: string) => Promise<unknown>;
}

/** A button of something that needs a reason, which goes into the audit log. */
export function ReasonButton(props: ReasonButtonProps) {
  const { label, what, color, variant = 'default', size = 'sm', disabled = false, onConfirm } = props;
  const [opened, { open, close }] = useDisclosure();
  const [reason, setReason] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  async function confirm(): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      await onConfirm(reason.trim());
      setReason('');
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
      <Button color={color} variant={variant} size={size} disabled={disabled} onClick={open}>
        {label}
      </Button>
      <Modal opened={opened} onClose={leave} title={label} centered>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void confirm();
          }}
        >
          <Stack>
            <Text size="sm">{what}</Text>
            {props.children}
            <Textarea
              label={props.reasonLabel ?? 'Reason'}
              description={props.reasonHint ?? 'It is kept in the audit log'}
              required
              maxLength={500}
              autosize
              minRows={2}
              data-autofocus
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
            {problem !== undefined && (
              <Alert role="alert" color="red" variant="light">
                {problem}
              </Alert>
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={leave}>
                Cancel
              </Button>
              <Button type="submit" color={color} loading={busy}>
                {label}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
