import { Group, Kbd, Switch, Text } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { Fragment, useEffect, useRef } from 'react';

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Whether a key is meant for the page: alone, outside of fields and dialogs, and not used up by what has the focus. */
export function isForPage(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return false;
  return document.querySelector('[aria-modal="true"]') === null;
}

/** Whether single keys do something. Who dictates, or whose fingers slip, turns them off (WCAG 2.2, 2.1.4). */
export function useSingleKeys() {
  // Without a default of the library, which it would write down at once: nothing is kept of who never chose.
  const [chosen, choose] = useLocalStorage<boolean | undefined>({ key: 'single-keys', getInitialValueInEffect: false });
  return [chosen ?? true, choose] as const;
}

/** Single keys that do something on this page while nobody types, by `KeyboardEvent.key`. */
export function useShortcuts(shortcuts: Readonly<Record<string, () => void>>): void {
  const [on] = useSingleKeys();
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    if (!on) return;
    function onKey(event: KeyboardEvent): void {
      if (!isForPage(event) || !Object.hasOwn(latest.current, event.key)) return;
      event.preventDefault();
      latest.current[event.key]?.();
    }
    // At the window, so that it comes after the pairs of keys that the frame listens to.
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [on]);
}

/** What keys do here, for everybody to see, and the switch that turns them off. */
export function KeyHints({ hints }: { hints: readonly (readonly [keys: readonly string[], what: string])[] }) {
  const [on, setOn] = useSingleKeys();
  return (
    <Group gap="md" className="key-hints">
      {on &&
        hints.map(([keys, what]) => (
          <Text key={what} size="sm" c="dimmed">
            {keys.map((key, n) => (
              <Fragment key={key}>
                {n > 0 && ' or '}
                <Kbd size="xs">{key}</Kbd>
              </Fragment>
            ))}{' '}
            {what}
          </Text>
        ))}
      <Switch
        size="xs"
        label="Single keys"
        checked={on}
        onChange={(event) => setOn(event.currentTarget.checked)}
        className="key-switch"
      />
    </Group>
  );
}
