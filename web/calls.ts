import {
  keepPreviousData,
  QueryClient,
  type UseQueryResult,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Answer, CallOptions, Input, OperationName } from '../client/index.ts';
import { client } from './api.ts';

/** What an operation answers. */
export type Body<Name extends OperationName> = Answer<Name>['body'];

/** Operations that read a list in pages. */
export type ListName = {
  [Name in OperationName]: Body<Name> extends { items: readonly unknown[]; nextCursor: string | null } ? Name : never;
}[OperationName];

/** One thing of a list. */
export type Item<Name extends ListName> = Body<Name> extends { items: readonly (infer One)[] } ? One : never;

type Call = (input: unknown, options?: CallOptions) => Promise<{ status: number; body: unknown }>;

/** A method of the client by its name, where the name is a variable. */
function callOf(name: OperationName): Call {
  return client[name] as unknown as Call;
}

/** The client repeats what may be repeated by itself; live events say what has changed (live/live.tsx). */
export const queryClient = new QueryClient({
  defaultOptions: { queries: { retry: false, staleTime: 15_000, refetchOnWindowFocus: true } },
});

interface Shown {
  readonly state: { readonly data?: unknown };
}

interface ReadOptions<Data> {
  readonly enabled?: boolean;
  readonly keep?: boolean;
  readonly refreshMs?: (data: Data | undefined) => number | false;
}

/**
 * What an operation answers, read when the component appears and again when live events say that it may have changed.
 *
 * @param input `path` and `query` of the call
 * @param options `enabled: false` reads nothing yet; `keep: true` shows what was there while other input is read; `refreshMs`
 *   reads it again that often while what is there needs it, for what no live event tells of
 */
export function useRead<Name extends OperationName>(
  name: Name,
  input: Input<Name>,
  { enabled = true, keep = false, refreshMs }: ReadOptions<Body<Name>> = {},
): UseQueryResult<Body<Name>> {
  return useQuery({
    queryKey: [name, input],
    queryFn: async ({ signal }) => (await callOf(name)(input, { signal })).body as Body<Name>,
    enabled,
    ...(keep ? { placeholderData: keepPreviousData } : {}),
    ...(refreshMs ? { refetchInterval: (query: Shown) => refreshMs(query.state.data as Body<Name> | undefined) } : {}),
  }) as UseQueryResult<Body<Name>>;
}

/**
 * A list, page after page: `items` of the pages read so far, `more()` reads the next one.
 *
 * @param options `still: true` for a list that may have very many pages: it is not read again just because the window came back;
 *   `refreshMs` as with {@link useRead}
 */
export function usePages<Name extends ListName>(
  name: Name,
  input: Input<Name>,
  { still = false, refreshMs }: { still?: boolean; refreshMs?: (items: readonly Item<Name>[]) => number | false } = {},
) {
  const pages = useInfiniteQuery({
    queryKey: [name, input, 'pages'],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const { query, ...rest } = input as { query?: object };
      const asked = { ...rest, query: { ...query, ...(pageParam === undefined ? {} : { cursor: pageParam }) } };
      return (await callOf(name)(asked, { signal })).body as { items: Item<Name>[]; nextCursor: string | null };
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => refreshMs?.(state.data?.pages.flatMap(({ items }) => items) ?? []) ?? false,
    ...(still ? { refetchOnWindowFocus: false, refetchOnReconnect: false, structuralSharing: false } : {}),
  });
  // The same array as long as the pages are: ten thousand rows are not drawn anew for nothing.
  const items = useMemo(() => pages.data?.pages.flatMap((page) => page.items) ?? [], [pages.data]);
  return {
    ...pages,
    items,
    more: () => {
      if (pages.hasNextPage && !pages.isFetchingNextPage) void pages.fetchNextPage();
    },
  };
}

/**
 * A call that changes something. What it names in `changes` is read again afterwards, also when it was refused: the refusal
 * may say that the page is out of date.
 */
export function useChange<Name extends OperationName>(
  name: Name,
  {
    changes = [],
    onDone,
    headers,
  }: {
    changes?: readonly OperationName[];
    onDone?: (answer: Answer<Name>) => void;
    headers?: Readonly<Record<string, string>>;
  } = {},
) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (input: Input<Name>) =>
      (await callOf(name)(input, headers && { headers })) as unknown as Answer<Name>,
    onSuccess: (answer) => onDone?.(answer),
    onSettled: () => Promise.all(changes.map((changed) => queries.invalidateQueries({ queryKey: [changed] }))),
  });
}
