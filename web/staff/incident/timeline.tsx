import { Anchor, Code, Text, Timeline } from '@mantine/core';
import { Link } from 'react-router';
import { words } from '../../parts/filters.tsx';
import { Person } from '../../parts/people.tsx';
import { Time } from '../../parts/time.tsx';

export interface TimelineEvent {
  readonly at: string;
  readonly kind: string;
  readonly actor: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** Where events of several incidents stand in one timeline. */
  readonly incidentId?: string;
  readonly cause?: string;
}

const USER = /^user:([0-9a-f-]{36})$/;

/** What happened, oldest first. */
export function EventTimeline({ events, label }: { events: readonly TimelineEvent[]; label: string }) {
  if (events.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nothing happened yet.
      </Text>
    );
  }
  return (
    <section aria-label={label}>
      <Timeline bulletSize={14} lineWidth={2} active={events.length}>
        {events.map((event, place) => (
          <Timeline.Item
            // biome-ignore lint/suspicious/noArrayIndexKey: events are only ever added at the end
            key={place}
            title={
              <>
                {words(event.kind)}
                {event.cause !== undefined && event.incidentId !== undefined && (
                  <>
                    {' · '}
                    <Anchor component={Link} to={`/console/incidents/${event.incidentId}`}>
                      {words(event.cause)}
                    </Anchor>
                  </>
                )}
              </>
            }
          >
            <Text size="xs" c="dimmed">
              <Time at={event.at} /> by <Actor actor={event.actor} />
            </Text>
            <Details details={event.details} />
          </Timeline.Item>
        ))}
      </Timeline>
    </section>
  );
}

function Actor({ actor }: { actor: string }) {
  const id = USER.exec(actor)?.[1] ?? (/^[0-9a-f-]{36}$/.test(actor) ? actor : undefined);
  return id === undefined ? actor : <Person id={id} />;
}

/** Details are as many as the event has: names and values, nested ones as JSON. */
function Details({ details }: { details: TimelineEvent['details'] }) {
  const known = Object.entries(details).filter(([, value]) => value !== null && value !== '');
  if (known.length === 0) return null;
  return (
    <ul className="details">
      {known.map(([name, value]) => (
        <li key={name}>
          <Text span inherit c="dimmed">
            {name}
          </Text>{' '}
          {typeof value === 'object' ? <Code>{JSON.stringify(value)}</Code> : String(value)}
        </li>
      ))}
    </ul>
  );
}
