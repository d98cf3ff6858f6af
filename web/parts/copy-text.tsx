import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { CheckIcon, CopyIcon } from '@radix-ui/react-icons';

interface CopyTextProps {
  readonly text: string;
  readonly what: string;
  /** Tells it from other buttons of its kind, for who does not see what stands beside it. */
  readonly name?: string;
}

/** A button that copies a text. */
export function CopyText({ text, what, name = what }: CopyTextProps) {
  return (
    <CopyButton value={text} timeout={2_000}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : `Copy the ${what}`}>
          <ActionIcon size="sm" variant="subtle" color="gray" onClick={copy} aria-label={`Copy the ${name}`}>
            {copied ? <CheckIcon aria-hidden /> : <CopyIcon aria-hidden />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}
