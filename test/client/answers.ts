import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  method: string;
  target: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** How one request is answered; `hang_up` takes the request and breaks the connection. */
export type Scripted =
  | { status: number; headers?: Record<string, string>; body?: unknown; text?: string }
  | 'hang_up'
  | 'silence';

/** A server that answers what it is told to, in that order: for what a healthy one never does. */
export async function startScriptedServer(...script: Scripted[]) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    received.push({
      method: request.method ?? '',
      target: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    });
    const answer = script[received.length - 1];
    if (answer === undefined) throw new Error(`nothing is scripted for request ${received.length}`);
    if (answer === 'silence') return;
    if (answer === 'hang_up') {
      request.socket.destroy();
      return;
    }
    const isProblem = answer.status >= 400;
    response.writeHead(answer.status, {
      'Content-Type': isProblem ? 'application/problem+json' : 'application/json',
      ...answer.headers,
    });
    response.end(answer.text ?? JSON.stringify(answer.body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const problem = (status: number, code: string, more: Record<string, unknown> = {}) => ({
  status,
  body: {
    type: `urn:tradeguard:problem:${code}`,
    title: 'x',
    status,
    detail: 'Told so.',
    code,
    requestId: 'r1',
    ...more,
  },
});
