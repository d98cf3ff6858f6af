import { Center, Loader, Stack } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Problem } from './problem.tsx';

export function Loading() {
  return (
    <Center py="xl">
      <Loader role="status" aria-label="Loading" />
    </Center>
  );
}

/**
 * What was read, as soon as it is there. A later read that fails leaves what was there, and says above it that it may be old.
 */
export function Read<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  if (query.data === undefined) {
    return query.isError ? <Problem error={query.error} onRetry={() => void query.refetch()} /> : <Loading />;
  }
  return (
    <Stack gap="md">
      {query.isError && <Problem error={query.error} onRetry={() => void query.refetch()} />}
      {children(query.data)}
    </Stack>
  );
}
