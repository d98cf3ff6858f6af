import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Whether a TCP port can be bound on this address right now. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Below the range that systems draw the ports of outgoing connections and of `listen(0)` from (RFC 6335 section 6: 49152
 * and up; Linux: 32768 and up): what is found free there is not taken by the next connection that somebody opens.
 */
const CANDIDATES = { from: 20_000, to: 32_768 };
const TRIES = 100;

/** A TCP port that was free a moment ago, drawn at random so that two callers at once get different ones. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(CANDIDATES.from, CANDIDATES.to);
    if (await isPortFree(port, host)) return port;
  }
  throw new Error(`No TCP port can be opened on ${host}.`);
}
