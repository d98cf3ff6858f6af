/** The API answers 30 calls a minute and route to one person: live reads take most of it, and leave the rest to their clicks. */
export const SPACING_MS = 2_500;

/**
 * Calls `read(name)` for each name that is asked for: at once, and where it was read a moment ago, once more when the spacing
 * has passed. However many ask, nothing is forgotten and nothing is read more often than that.
 */
export function createPace<Name extends string>(read: (name: Name) => void, spacingMs = SPACING_MS) {
  const lastAt = new Map<Name, number>();
  const timers = new Map<Name, ReturnType<typeof setTimeout>>();

  function now(name: Name): void {
    timers.delete(name);
    lastAt.set(name, Date.now());
    read(name);
  }

  return {
    ask(names: Iterable<Name>): void {
      for (const name of names) {
        if (timers.has(name)) continue;
        const wait = (lastAt.get(name) ?? 0) + spacingMs - Date.now();
        if (wait <= 0) now(name);
        else
          timers.set(
            name,
            setTimeout(() => now(name), wait),
          );
      }
    },
    stop(): void {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
