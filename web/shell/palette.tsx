import { Kbd } from '@mantine/core';
import { Spotlight } from '@mantine/spotlight';
import { useNavigate } from 'react-router';
import type { Place } from './navigation.ts';

/** The list of pages that Ctrl K opens, by name and by what they are for. */
export default function Palette({ places }: { places: readonly Place[] }) {
  const navigate = useNavigate();
  return (
    <Spotlight
      shortcut="mod + K"
      nothingFound="No such page"
      searchProps={{ placeholder: 'Go to…', 'aria-label': 'Go to' }}
      actions={places.map(({ path, label, keywords, key }) => ({
        id: path,
        label,
        keywords: [...keywords],
        rightSection: (
          <span aria-hidden>
            <Kbd size="xs">g</Kbd> <Kbd size="xs">{key}</Kbd>
          </span>
        ),
        onClick: () => void navigate(path),
      }))}
    />
  );
}
