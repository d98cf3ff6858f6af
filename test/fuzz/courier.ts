import { request as httpRequest } from 'node:http';
import { signatureHeaders } from '../helpers/signing.ts';
import type { Caller, Cast, Credentials } from './cast.ts';

/** A request as it goes over the wire, apart from what the courier adds. */
export interface Letter {
  method: string;
  /** Path with query, escaped. */
  target: string;
  /** Name, value, name, value: as drawn, duplicates included. */
  headers: readonly string[];
  body: Buffer;
}

export interface Answer {
  status: number;
  /** Name, value, name, value. */
  headers: string[];
  contentType: string;
  body: Buffer;
}

/** What the courier sends itself in the name of somebody signed in, or what is meant for one connection alone. */
const OF_THE_CALLER = /^(authorization|cookie|x-(signature|timestamp|nonce|algorithm|key-id))$/;
const OF_THE_CONNECTION = /^(host|connection|content-length|transfer-encoding)$/;
/** How long of an answer that never ends is listened to. */
const STREAM_MS = 200;
/** The session is gone, the key revoked, or another factor is asked for by now. */
const LOSS = /"code":"(session_required|signature_invalid|password_change_required|step_up_needed)"/;

/**
 * Carries requests to the API in the name of one caller: with a session of that role and a valid signature over what was
 * drawn, so that what lies behind the door is fuzzed too. Whoever has lost the session by it is replaced, and the request
 * sent once more. `anonymous` sends what was drawn and nothing else.
 */
export function createCourier({ url, cast, caller }: { url: string; cast: Cast; caller: Caller }) {
  return async (drawn: Letter): Promise<Answer> => {
    const letter = { ...drawn, target: await cast.realTarget(drawn.target, caller) };
    if (caller === 'anonymous') return post(url, letter, undefined);
    const credentials = await cast.credentials(caller);
    const answer = await post(url, letter, credentials);
    if (!LOSS.test(answer.body.toString())) return answer;
    await cast.replace(caller, credentials);
    return post(url, { ...drawn, target: await cast.realTarget(drawn.target, caller) }, await cast.credentials(caller));
  };
}

export type Courier = ReturnType<typeof createCourier>;

function post(url: string, letter: Letter, credentials: Credentials | undefined): Promise<Answer> {
  const { hostname, port, host } = new URL(url);
  const { method, target: path, body } = letter;
  const headers = ['Host', host, ...headersOf(letter, credentials)];
  // A GET, too, is read to its end by this length alone.
  if (body.length > 0) headers.push('Content-Length', String(body.length));
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ hostname, port, path, method, headers }, (response) => {
      const parts: Buffer[] = [];
      const contentType = response.headers['content-type'] ?? '';
      const done = () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.rawHeaders,
          contentType,
          body: Buffer.concat(parts),
        });
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', done);
      response.on('error', reject);
      if (!contentType.startsWith('text/event-stream')) return;
      setTimeout(() => {
        done();
        outgoing.destroy();
      }, STREAM_MS);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function headersOf({ method, target, headers, body }: Letter, credentials: Credentials | undefined): string[] {
  const sent: string[] = [];
  let idempotencyKey: string | undefined;
  for (let at = 0; at < headers.length; at += 2) {
    const [name = '', value = ''] = headers.slice(at, at + 2);
    const lower = name.toLowerCase();
    if (OF_THE_CONNECTION.test(lower) || (credentials !== undefined && OF_THE_CALLER.test(lower))) continue;
    if (lower === 'idempotency-key') idempotencyKey = value;
    sent.push(name, value);
  }
  if (credentials === undefined) return sent;
  const { 'Idempotency-Key': _alreadyThere, ...signature } = signatureHeaders(credentials.key, {
    ...{ method, target, body, idempotencyKey },
  });
  return [...sent, 'Authorization', `Bearer ${credentials.token}`, ...Object.entries(signature).flat()];
}
