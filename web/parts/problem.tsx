import { Alert, Button, Code, Group, Text } from '@mantine/core';
import { ConnectionError, isProblem } from '../../client/index.ts';

/** What went wrong, in words for a person. */
export function problemText(error: unknown): string {
  if (isProblem(error)) {
    const [first] = error.problem.errors ?? [];
    return first === undefined ? error.problem.detail : `${error.problem.detail} ${first.pointer}: ${first.detail}`;
  }
  if (error instanceof ConnectionError) return 'The server does not answer. Nothing is lost: try again.';
  return error instanceof Error ? error.message : 'Something went wrong.';
}

/** A call that failed, with its request id for who asks for help. */
export function Problem({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  return (
    <Alert role="alert" color="red" variant="light" title="This could not be read">
      <Text size="sm">{problemText(error)}</Text>
      <Group mt="xs" gap="md">
        {onRetry && (
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        )}
        {isProblem(error) && error.requestId !== '' && (
          <Text size="xs" c="dimmed">
            Request <Code>{error.requestId}</Code>
          </Text>
        )}
      </Group>
    </Alert>
  );
}
