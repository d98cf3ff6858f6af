import { useEffect, useRef } from 'react';
import { useNavigate } from 'react-router';
import { isForPage, useSingleKeys } from '../parts/keys.tsx';
import type { Place } from './navigation.ts';

/** How long after `g` the letter of a page is waited for. */
const PAIR_MS = 1_200;

/** `g` and a page's letter open it; `?` opens the list of pages with their letters. Nothing happens while somebody types. */
export function useGoKeys(places: readonly Place[]): void {
  const navigate = useNavigate();
  const [on] = useSingleKeys();
  // Beside the effect: a page that is drawn anew between two keys must not forget the first.
  const pressedAt = useRef(0);
  const known = useRef(places);
  useEffect(() => {
    known.current = places;
  });
  useEffect(() => {
    if (!on) return;
    function onKey(event: KeyboardEvent): void {
      if (!isForPage(event)) return;
      if (event.key === '?') {
        event.preventDefault();
        void import('@mantine/spotlight').then(({ spotlight }) => spotlight.open());
        return;
      }
      const isPair = event.timeStamp - pressedAt.current < PAIR_MS;
      pressedAt.current = 0;
      if (isPair) {
        const place = known.current.find(({ key }) => key === event.key);
        if (place === undefined) return;
        event.preventDefault();
        void navigate(place.path);
      } else if (event.key === 'g') {
        pressedAt.current = event.timeStamp;
      }
    }
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [navigate, on]);
}
