import { type RefObject, useEffect, useRef } from 'react';
import { isForPage, useShortcuts } from './keys.tsx';

type Actions<Row> = Readonly<Record<string, (row: Row) => void>>;
const STEPS: Readonly<Record<string, 1 | -1>> = { ArrowDown: 1, ArrowUp: -1 };

/**
 * The keyboard's way through a table of links: the arrow keys move the focus from the link of one row to that of the next
 * while it is in the table.
 *
 * @param keys what other keys do with the row that has the focus; where given, `j` and `k` work from anywhere on the page
 */
export function useRowKeys<Row>(
  box: RefObject<HTMLElement | null>,
  rows: readonly Row[],
  keys: Actions<Row> | undefined,
): void {
  /** Where the focus was last: a row that has gone leaves its place to the next one. */
  const place = useRef(0);

  const links = (): HTMLElement[] => [...(box.current?.querySelectorAll<HTMLElement>('tr[data-link]') ?? [])];
  const present = (): HTMLElement | undefined => links().find((link) => link.contains(document.activeElement));
  const indexOf = (link: HTMLElement | undefined): number => Number(link?.dataset.index ?? -1);

  function move(step: 1 | -1): void {
    const all = links();
    const from = present();
    const wanted = from === undefined ? place.current : indexOf(from) + step;
    const next = all.find((link) => indexOf(link) === wanted) ?? (from === undefined ? all.at(-1) : undefined);
    if (next === undefined) return;
    place.current = indexOf(next);
    next.querySelector('a')?.focus();
  }

  const actions = Object.entries(keys ?? {}).map(([key, act]) => [
    key,
    () => {
      const row = rows[indexOf(present())];
      if (row !== undefined) act(row);
    },
  ]);
  useShortcuts(keys === undefined ? {} : { j: () => move(1), k: () => move(-1), ...Object.fromEntries(actions) });

  // No dependencies: the table is there only while it has rows.
  useEffect(() => {
    const table = box.current;
    function onArrow(event: KeyboardEvent): void {
      const step = STEPS[event.key];
      if (step === undefined || !isForPage(event) || links().length === 0) return;
      event.preventDefault();
      move(step);
    }
    table?.addEventListener('keydown', onArrow);
    return () => table?.removeEventListener('keydown', onArrow);
  });
}
