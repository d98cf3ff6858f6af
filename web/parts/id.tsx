import { Box, Code } from '@mantine/core';
import { CopyText } from './copy-text.tsx';

/** An id, shortened where it is long, with a button that copies all of it. It may stand within a sentence. */
export function Id({ id, what = 'id' }: { id: string; what?: string }) {
  const short = id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
  return (
    <Box component="span" className="id">
      <Code title={id}>{short}</Code>
      <CopyText text={id} what={what} name={`${what} ${id}`} />
    </Box>
  );
}
