import { eventually } from './eventually.ts';

export const EVENTS_PATH = '/api/admin/security/events';

export interface Received {
  event: string;
  id: string;
  data: Record<string, unknown>;
  at: number;
}

/** Pages of staff that follow the live events. @param ownToken whose page it is where none is named */
export function createEventPages({ url }: { url: string }, ownToken: string) {
  /** Follows as a browser would, until it is left. */
  async function follow({ token = ownToken, lastEventId }: { token?: string; lastEventId?: string } = {}) {
    const leaving = new AbortController();
    const response = await fetch(`${url}${EVENTS_PATH}`, {
      headers: {
        Authorization: `Bearer ${token}`,
        ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
      },
      signal: leaving.signal,
    });
    const received: Received[] = [];
    let ended = false;
    const reading = (async () => {
      let text = '';
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += chunk;
        const frames = text.split('\n\n');
        text = frames.pop() ?? '';
        for (const frame of frames) {
          const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1] ?? '';
          if (field('event') !== '') {
            const data = JSON.parse(field('data'));
            received.push({ event: field('event'), id: field('id'), data, at: performance.now() });
          }
        }
      }
    })()
      .catch(() => {})
      .finally(() => {
        ended = true;
      });
    await eventually(() => received.length > 0, { what: 'the first event' });
    return {
      response,
      received,
      ended: () => ended,
      find: (event: string, match: Record<string, unknown>) =>
        eventually(
          () =>
            received.find((one) => one.event === event && Object.entries(match).every(([k, v]) => one.data[k] === v)),
          { what: `event ${event}`, everyMs: 10 },
        ),
      async leave(): Promise<void> {
        leaving.abort();
        await reading;
      },
    };
  }
  return { follow };
}

export type EventPages = ReturnType<typeof createEventPages>;
