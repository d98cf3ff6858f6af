/**
 * A queue per account in front of the connection pool: at most one decision of this process about an account holds a
 * connection. Without it 200 requests of one account take every connection only to wait for each other in the database,
 * and everybody else waits with them. Order within an account is the order of arrival.
 */
export function createAccountLanes() {
  /** The end of the last work queued for each account. */
  const tails = new Map<string, Promise<void>>();

  return {
    /**
     * Runs `work` when everything queued before it for any of the accounts has ended. All lanes are joined at once, so
     * two transfers in opposite directions cannot wait for each other.
     *
     * @param signal work that is no longer wanted leaves the queue without touching the database
     */
    async run<T>(accountIds: readonly string[], work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
      const before = accountIds.map((id) => tails.get(id));
      const { promise: mine, resolve: leave } = Promise.withResolvers<void>();
      for (const id of accountIds) tails.set(id, mine);
      try {
        await Promise.all(before);
        signal?.throwIfAborted();
        return await work();
      } finally {
        leave();
        for (const id of accountIds) if (tails.get(id) === mine) tails.delete(id);
      }
    },
  };
}

export type AccountLanes = ReturnType<typeof createAccountLanes>;
