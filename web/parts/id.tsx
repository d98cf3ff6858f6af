import { ActionIcon, Box, Code, CopyButton, Tooltip } from '@mantine/core';
import { CheckIcon, CopyIcon } from '@radix-ui/react-icons';

/** An id, shortened where it is long, with a button that copies all of it. It may stand within a sentence. */
export function Id({ id, what = 'id' }: { id: string; what?: string }) {
  const short = id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
  return (
    <Box component="span" className="id">
      <Code title={id}>{short}</Code>
      <CopyButton value={id} timeout={2_000}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? 'Copied' : `Copy the ${what}`}>
            <ActionIcon size="sm" variant="subtle" color="gray" onClick={copy} aria-label={`Copy the ${what} ${id}`}>
              {copied ? <CheckIcon aria-hidden /> : <CopyIcon aria-hidden />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </Box>
  );
}
