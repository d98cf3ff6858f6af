import { Group, Text } from '@mantine/core';
import type { Body } from '../calls.ts';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Section } from '../parts/page.tsx';
import { Ago } from '../parts/time.tsx';
import { placeText } from './place-text.ts';
import { WORLD_LAND } from './world-land.ts';

type Known = Body<'getAuthDashboard'>['places'];
type LoginsOfPlace = Known['items'][number];

const refusedOf = ({ failures, denied }: LoginsOfPlace): number => failures + denied;

const COLUMNS: readonly Column<LoginsOfPlace>[] = [
  { title: 'Place', cell: placeText, sortBy: placeText },
  { title: 'Attempts', numeric: true, cell: ({ attempts }) => attempts, sortBy: ({ attempts }) => attempts },
  { title: 'Failed', numeric: true, cell: ({ failures }) => failures, sortBy: ({ failures }) => failures },
  { title: 'Denied', numeric: true, cell: ({ denied }) => denied, sortBy: ({ denied }) => denied },
  { title: 'Accounts', numeric: true, cell: ({ accounts }) => accounts, sortBy: ({ accounts }) => accounts },
  { title: 'Last', cell: ({ lastAt }) => <Ago at={lastAt} />, sortBy: ({ lastAt }) => lastAt },
];

const keyOf = ({ latitude, longitude }: LoginsOfPlace): string => `${latitude} ${longitude}`;

/** From where people sign in: on a map, and the same as a table. */
export function Places({ places: { countedAtMost, items } }: { places: Known }) {
  return (
    <Section
      title="Places"
      hint={`Last 24 hours, of the latest ${countedAtMost} attempts at most. Failed: a wrong password, or a locked account. Denied: the risk was too high.`}
    >
      {items.length > 0 && <PlacesMap places={items} />}
      <DataTable
        label="Places"
        columns={COLUMNS}
        rows={items}
        keyOf={keyOf}
        empty="Nobody came from an address whose place is known."
        maxHeight={360}
        sortParam="places"
      />
    </Section>
  );
}

/** The map as it is drawn: one unit a degree, from 84° N to 58° S. */
const VIEW = '-180 -84 360 142';

/** A dot for each place, a diamond where somebody was refused; the table says the same in words. */
function PlacesMap({ places }: { places: readonly LoginsOfPlace[] }) {
  return (
    <figure className="map">
      <svg
        viewBox={VIEW}
        role="img"
        aria-label={`Map of ${places.length} ${places.length === 1 ? 'place' : 'places'}; the table below has them all`}
      >
        <path d={WORLD_LAND} className="map-land" />
        {places.map((one) => (
          <Marker key={keyOf(one)} of={one} />
        ))}
      </svg>
      <Group component="figcaption" gap="lg" mt={4}>
        <Legend text="passed or not finished" refused={false} />
        <Legend text="somebody was refused" refused />
      </Group>
    </figure>
  );
}

function Marker({ of: one }: { of: LoginsOfPlace }) {
  const radius = Math.min(5, 1.6 + Math.sqrt(one.attempts) * 0.5);
  const refused = refusedOf(one);
  return (
    <g transform={`translate(${one.longitude} ${-one.latitude})`}>
      <title>{`${placeText(one)}: ${one.attempts} attempts, ${refused} refused`}</title>
      <Shape refused={refused > 0} radius={radius} />
    </g>
  );
}

function Shape({ refused, radius }: { refused: boolean; radius: number }) {
  if (!refused) return <circle r={radius} className="map-passed" />;
  const half = radius * 1.25;
  return <path d={`M0 ${-half}L${half} 0L0 ${half}L${-half} 0z`} className="map-refused" />;
}

function Legend({ text, refused }: { text: string; refused: boolean }) {
  return (
    <Group gap={6} wrap="nowrap">
      <svg viewBox="-6 -6 12 12" width={14} height={14} aria-hidden>
        <Shape refused={refused} radius={4.5} />
      </svg>
      <Text size="sm" c="dimmed">
        {text}
      </Text>
    </Group>
  );
}
