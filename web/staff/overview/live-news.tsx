import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';
import { type News, useLive } from '../../live/live.tsx';
import { AccountLink } from '../../parts/account-link.tsx';
import { words } from '../../parts/filters.tsx';
import { Section } from '../../parts/page.tsx';
import { Ago } from '../../parts/time.tsx';

/** News that fit beside the incidents. */
const SHOWN = 8;

/** What has happened since the page was opened, newest first, in words. */
export function LiveNews() {
  const news = useLive().news.filter(isTold);
  return (
    <Section title="Latest events" hint="Since this page was opened">
      {news.length === 0 ? (
        <Text c="dimmed" size="sm">
          Nothing has happened yet. Holds, decisions, incidents and locks appear here within a second.
        </Text>
      ) : (
        <ol className="news" aria-live="polite">
          {news.slice(0, SHOWN).map((one) => (
            <li key={`${one.id} ${one.receivedAt}`}>
              <Text span size="sm">
                <Told news={one} />
              </Text>
              <Text span size="sm" c="dimmed">
                <Ago at={one.receivedAt} />
              </Text>
            </li>
          ))}
        </ol>
      )}
    </Section>
  );
}

/** Some events only say that numbers have changed; and of a long piece of work its end is the news. */
function isTold({ event, data }: News): boolean {
  if (event === 'run') return data.status !== 'running' && data.status !== 'requested';
  return event !== 'activity' && event !== 'sealer';
}

const wordsOf = (value: unknown): string => words(String(value ?? ''));

/** An event as a sentence; its members are those of db/live-events.ts and the files beside it. */
function Told({ news: { event, data } }: { news: News }) {
  switch (event) {
    case 'hold':
      return (
        <>
          <ReviewLink id={data.transactionId}>A transaction</ReviewLink> was held for review, score{' '}
          {Number(data.score).toFixed(2)}
        </>
      );
    case 'decision':
      return (
        <>
          <ReviewLink id={data.transactionId}>A held transaction</ReviewLink> is {wordsOf(data.status)}
          {data.code ? `: ${wordsOf(data.code)}` : ''}
        </>
      );
    case 'review':
      return (
        <>
          <ReviewLink id={data.transactionId}>A held transaction</ReviewLink> was {wordsOf(data.change)}
        </>
      );
    case 'incident':
      return (
        <>
          <Anchor component={Link} to={`/console/incidents/${data.incidentId}`}>
            An incident
          </Anchor>{' '}
          ({wordsOf(data.severity)}): {wordsOf(data.change)}
        </>
      );
    case 'login':
      return (
        <>
          A login of <Account id={data.userId} /> was {wordsOf(data.change)}
        </>
      );
    case 'lockout':
    case 'restriction':
    case 'account':
      return (
        <>
          {NOUNS[event]} of <Account id={data.userId} />: {wordsOf(data.change)}
        </>
      );
    case 'rule_set':
      return (
        <>
          <Anchor component={Link} to="/console/rule-sets">
            Rule set {wordsOf(data.version)}
          </Anchor>{' '}
          is {wordsOf(data.change)}
        </>
      );
    case 'refusal':
      return (
        <>
          {String(data.route)}: {wordsOf(data.refusal)}, {wordsOf(data.cause)}
        </>
      );
    case 'run':
      return (
        <>
          {wordsOf(data.run)}: {wordsOf(data.status)}
        </>
      );
    case 'checkpoint':
      return <>Checkpoint of the audit log: {wordsOf(data.change)}</>;
    default:
      return <>{wordsOf(event)}</>;
  }
}

const NOUNS = { lockout: 'Lock', restriction: 'Restriction', account: 'Account' } as const;

function ReviewLink({ id, children }: { id: unknown; children: string }) {
  return (
    <Anchor component={Link} to={`/console/reviews/${id}`}>
      {children}
    </Anchor>
  );
}

function Account({ id }: { id: unknown }) {
  return typeof id === 'string' ? <AccountLink userId={id} /> : <>an address without an account</>;
}
