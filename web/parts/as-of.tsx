import { Button, Text } from '@mantine/core';
import { Ago } from './time.tsx';

interface AsOfProps {
  readonly query: {
    readonly data: { readonly generatedAt: string } | undefined;
    readonly isFetching: boolean;
    readonly refetch: () => unknown;
  };
}

/** How old the numbers of a page are, and a button that reads them again: live events do not tell of every small thing. */
export function AsOf({ query: { data, isFetching, refetch } }: AsOfProps) {
  return (
    <>
      {data !== undefined && (
        <Text size="sm" c="dimmed">
          as of <Ago at={data.generatedAt} />
        </Text>
      )}
      <Button variant="default" size="xs" loading={isFetching} onClick={() => void refetch()}>
        Refresh
      </Button>
    </>
  );
}
