import { Timeline } from '@mantine/core';
import { Id } from '../parts/id.tsx';
import { Time } from '../parts/time.tsx';
import type { RuleSetDetail } from './life.tsx';

type LifeEvent = RuleSetDetail['events'][number];

const WORDS: Readonly<Record<LifeEvent['kind'], string>> = {
  saved: 'Saved',
  shadow: 'Put in the shadow',
  proposed: 'Proposed',
  live: 'Live',
  retired: 'Retired',
  demoted: 'Taken out of the decisions by the breaker',
};

/** What happened to a version, the newest first. */
export function Story({ events }: { events: readonly LifeEvent[] }) {
  return (
    <Timeline bulletSize={14} lineWidth={2} active={events.length}>
      {events.toReversed().map(({ kind, at, actor, details }) => (
        <Timeline.Item key={`${kind} ${at}`} title={WORDS[kind]}>
          <Time at={at} />
          {actor === null ? (
            ' by the program'
          ) : (
            <>
              {' '}
              by <Id id={actor} what="actor’s id" />
            </>
          )}
          {typeof details.reason === 'string' && <div>{details.reason}</div>}
          {typeof details.replaced === 'string' && <div>In place of {details.replaced}</div>}
          {typeof details.replacedBy === 'string' && <div>Replaced by {details.replacedBy}</div>}
        </Timeline.Item>
      ))}
    </Timeline>
  );
}
