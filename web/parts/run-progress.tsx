import { Button, Group, Progress, Stack, Text } from '@mantine/core';
import { Refused } from './refused.tsx';

interface RunProgressProps {
  /** What is counted, for who cannot see the bar: `Entries checked`. */
  readonly label: string;
  readonly done: number;
  /** Null while nobody has counted them yet. */
  readonly total: number | null;
  /** In words: `entries`. */
  readonly unit: string;
  /** Left out for who may not stop it. */
  readonly cancel?: { readonly isPending: boolean; readonly error: unknown; readonly run: () => void };
}

/** A long piece of work that runs: how far it is, and a button that stops it. */
export function RunProgress({ label, done, total, unit, cancel }: RunProgressProps) {
  const share = total === null || total === 0 ? 0 : (100 * done) / total;
  return (
    <Stack gap="xs">
      <Progress.Root size="lg">
        <Progress.Section value={share} aria-label={label} animated />
      </Progress.Root>
      <Group justify="space-between">
        <Text size="sm" className="number" role="status">
          {total === null ? 'It begins' : `${done} of ${total} ${unit}`}
        </Text>
        {cancel && (
          <Button size="xs" variant="default" loading={cancel.isPending} onClick={cancel.run}>
            Cancel
          </Button>
        )}
      </Group>
      <Refused error={cancel?.error} />
    </Stack>
  );
}
