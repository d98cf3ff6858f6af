import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FollowedDocument } from '../helpers/api-document.ts';
import type { Caller, Cast } from './cast.ts';
import { type Answer, createCourier, type Letter } from './courier.ts';
import { documentFor } from './document.ts';
import { createOperationFinder } from './operations.ts';

export interface Seen {
  /** Answers by operationId and status. */
  readonly answers: Map<string, Map<number, number>>;
  /** Server errors, each with the call that made it. */
  readonly serverErrors: string[];
}

const DOCUMENT_PATH = '/fuzzed-openapi.json';

/**
 * Stands between the fuzzer and the API and speaks for one caller, see {@link createCourier}.
 *
 * @returns the address that the fuzzer is pointed at, where the document is served as well
 */
export async function startProxy(given: { target: string; document: FollowedDocument; cast: Cast; caller: Caller }) {
  const { target, document, cast, caller } = given;
  const courier = createCourier({ url: target, cast, caller });
  const find = createOperationFinder(document);
  const seen: Seen = { answers: new Map(), serverErrors: [] };
  const served = JSON.stringify(documentFor(document, cast));

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    if (url === DOCUMENT_PATH) {
      response.setHeader('Content-Type', 'application/json').end(served);
      return;
    }
    const letter = { method, target: url, headers: request.rawHeaders, body: Buffer.concat(await request.toArray()) };
    const answer = await courier(letter);
    note(letter, answer);
    response.writeHead(answer.status, endToEnd(answer.headers));
    response.end(answer.body);
  }

  function note(letter: Letter, { status, body }: Answer): void {
    const name = find(letter.method, letter.target)?.operationId ?? 'no operation';
    const statuses = seen.answers.get(name) ?? new Map<number, number>();
    seen.answers.set(name, statuses.set(status, (statuses.get(status) ?? 0) + 1));
    if (status >= 500) seen.serverErrors.push(`${caller}: ${asCurl(letter)}\n  ${body}`);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: Error) => {
      // 599 is in no document: whatever breaks here shows up as a find and not as an answer of the API.
      response.writeHead(599, { 'Content-Type': 'text/plain' }).end(`the proxy: ${error.message}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    documentUrl: url + DOCUMENT_PATH,
    seen,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Without what the proxy's own connection decides. */
function endToEnd(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const [name = '', value = ''] = headers.slice(at, at + 2);
    if (!/^(connection|keep-alive|transfer-encoding)$/i.test(name)) kept.push(name, value);
  }
  return kept;
}

/** To be repeated by hand with a session of that role; a signed route needs the headers of docs/request-signing.md too. */
function asCurl({ method, target, headers, body }: Letter): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  let sent = '';
  for (let at = 0; at < headers.length; at += 2) {
    const [name = '', value = ''] = headers.slice(at, at + 2);
    if (/^(content-type|idempotency-key|accept)$/i.test(name)) sent += ` -H ${quoted(`${name}: ${value}`)}`;
  }
  const data = body.length === 0 ? '' : ` --data-binary ${quoted(body.toString())}`;
  return `curl -X ${method} "$API"${quoted(target)} -H "Authorization: Bearer $TOKEN"${sent}${data}`;
}
