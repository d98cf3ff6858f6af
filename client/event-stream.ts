import { ConnectionError, ProblemError, problemError } from './problem-error.ts';
import { delayBeforeRetry, pause, type RetryPolicy, retryAfterMs } from './retry.ts';
import type { ClientSession } from './session.ts';

/** What happened. It is told at least once: after a break, what came shortly before it may come again. */
export interface LiveEvent {
  /** `ready`, `hold`, `incident` and so on, as the operation `followEvents` names them; a newer server may tell of more. */
  readonly event: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventStreamOptions {
  readonly origin: string;
  readonly session: ClientSession;
  /** The id of the last event that was seen: what came since is told. */
  readonly lastEventId?: string;
  readonly signal?: AbortSignal;
  readonly retry?: Partial<RetryPolicy>;
  /** Told whenever the connection breaks, before it is tried again. */
  readonly onBreak?: (error: unknown) => void;
  readonly fetch?: typeof fetch;
}

/** Who watches wants to go on watching, also after a night without a network. */
const FOR_EVER: RetryPolicy = { attempts: Number.POSITIVE_INFINITY, maxDelayMs: 10_000 };
/** The server sends something every ten seconds. */
const SILENCE_MS = 30_000;

/**
 * Follows the live events of staff, and comes back where it was when the connection breaks
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html). Browsers' own `EventSource` sends no bearer token.
 *
 * @throws ProblemError when the API refuses, the signal's reason, and ConnectionError after `retry.attempts` breaks without an
 *   event between them; without that option it comes back for ever
 */
export async function* followEvents(options: EventStreamOptions): AsyncGenerator<LiveEvent> {
  const { signal } = options;
  const policy = { ...FOR_EVER, ...options.retry };
  let lastEventId = options.lastEventId;
  for (let failed = 0; ; ) {
    try {
      for await (const event of oneStream({ ...options, ...(lastEventId === undefined ? {} : { lastEventId }) })) {
        failed = 0;
        lastEventId = event.id;
        yield event;
      }
      // It ended in order: the server restarts, or the session is over, which the next attempt tells.
      throw new ConnectionError('the stream of events ended');
    } catch (error) {
      signal?.throwIfAborted();
      failed += 1;
      const delay = delayBeforeRetry(error, { failed, repeatable: true, policy });
      if (delay === undefined) throw error;
      options.onBreak?.(error);
      await pause(delay, signal);
    }
  }
}

async function* oneStream({ origin, session, lastEventId, signal, fetch = globalThis.fetch }: EventStreamOptions) {
  const silence = new AbortController();
  const stop = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const response = await fetch(new URL('/api/admin/security/events', origin), {
      headers: {
        Accept: 'text/event-stream',
        ...(session.token === undefined ? {} : { Authorization: `Bearer ${session.token}` }),
        ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
      },
      redirect: 'error',
      signal: stop,
    });
    if (response.status !== 200) {
      const body: unknown = await response.json().catch(() => undefined);
      throw problemError(response.status, body, retryAfterMs(response.headers.get('retry-after')));
    }
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of chunksOf(response.body)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const frames = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) {
        const event = eventOf(frame);
        if (event !== undefined) yield event;
      }
    }
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ConnectionError('the stream of events broke', { cause: error });
  } finally {
    clearTimeout(timer);
    // Also when whoever follows has had enough.
    silence.abort();
  }
}

/** Not every browser iterates streams by itself. */
async function* chunksOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** One frame; undefined for comments and directions to the client. */
function eventOf(frame: string): LiveEvent | undefined {
  const fields = new Map(
    frame.split('\n').flatMap((line) => {
      const found = /^(\w+): ?(.*)$/.exec(line);
      return found === null ? [] : [[found[1] ?? '', found[2] ?? ''] as const];
    }),
  );
  const data = fields.get('data');
  if (data === undefined) return undefined;
  return { event: fields.get('event') ?? 'message', id: fields.get('id') ?? '', data: JSON.parse(data) };
}
