import { Text, Tooltip } from '@mantine/core';
import { useEffect, useSyncExternalStore } from 'react';

const local = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const localDay = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

/** One clock for everything on the page that counts, ticking each second while something looks at it. */
let nowMs = Date.now();
const watchers = new Set<() => void>();
let ticker: ReturnType<typeof setInterval> | undefined;
function watchClock(watcher: () => void): () => void {
  watchers.add(watcher);
  ticker ??= setInterval(() => {
    nowMs = Date.now();
    for (const one of watchers) one();
  }, 1_000);
  return () => {
    watchers.delete(watcher);
    if (watchers.size > 0) return;
    clearInterval(ticker);
    ticker = undefined;
  };
}

/** The present, to the second, in milliseconds. */
export function useNow(): number {
  useEffect(() => {
    nowMs = Date.now();
  }, []);
  return useSyncExternalStore(watchClock, () => nowMs);
}

const utc = (at: string): string => `${new Date(at).toISOString().replace('T', ' ').replace('Z', '')} UTC`;

/** A point in time in the viewer's own zone; the same in UTC on hover and focus, exact for machines. */
export function Time({ at, day = false }: { at: string | null | undefined; day?: boolean }) {
  if (at === null || at === undefined) return <>–</>;
  const date = new Date(at);
  return (
    <Tooltip label={utc(at)} events={{ hover: true, focus: true, touch: true }}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the tooltip must be reachable without a mouse (WCAG 2.2, 1.4.13 and 2.1.1) */}
      <time dateTime={at} className="number time" tabIndex={0}>
        {day ? localDay.format(date) : local.format(date)}
      </time>
    </Tooltip>
  );
}

/** A point in time inside of a link or button, which take the focus themselves: the same in UTC on hover. */
export function Moment({ at }: { at: string }) {
  return (
    <time dateTime={at} className="number time" title={utc(at)}>
      {local.format(new Date(at))}
    </time>
  );
}

/** `2 d 3 h`, `5 min 12 s`: two parts at most. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([count], n) => n === 0 || count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** How long until a deadline, counting down. */
export function Countdown({ to, urgentMs = 3_600_000 }: { to: string; urgentMs?: number }) {
  const left = Date.parse(to) - useNow();
  if (left <= 0) return <Text span>expired</Text>;
  return (
    <Text
      span
      inherit
      role="timer"
      className="number"
      fw={left < urgentMs ? 700 : undefined}
      c={left < urgentMs ? 'var(--mantine-color-error)' : undefined}
    >
      {durationText(left)}
    </Text>
  );
}

/** How long ago something was. */
export function Ago({ at }: { at: string | null | undefined }) {
  const now = useNow();
  if (at === null || at === undefined) return <>never</>;
  return (
    <Tooltip label={`${local.format(new Date(at))} (${utc(at)})`} events={{ hover: true, focus: true, touch: true }}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the tooltip must be reachable without a mouse (WCAG 2.2, 1.4.13 and 2.1.1) */}
      <time dateTime={at} className="number time" tabIndex={0}>
        {durationText(now - Date.parse(at))} ago
      </time>
    </Tooltip>
  );
}
