import { Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Refused } from './refused.tsx';

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
  const sending = useMutation({
    mutationFn: () => onConfirm(reason.trim()),
    onSuccess: () => {
      setReason('');
      close();
    },
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
      <Button color={color} variant={variant} size={size} disabled={disabled} onClick={begin}>
        {label}
      </Button>
      <Modal opened={opened} onClose={leave} title={label} centered>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            sending.mutate();
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
            <Refused error={sending.error} />
            <Group justify="flex-end">
              <Button variant="default" onClick={leave}>
                Cancel
              </Button>
              <Button type="submit" color={color} loading={sending.isPending}>
                {label}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
