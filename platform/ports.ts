import { createServer } from 'node:net';

/** Whether a TCP port can be bound on this address right now. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return (await bind(port, host)) !== undefined;
}

/** A TCP port that was free a moment ago. The kernel hands such ports out in turn, so a second caller gets another. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const port = await bind(0, host);
  if (port === undefined) throw new Error(`No TCP port can be opened on ${host}.`);
  return port;
}

async function bind(port: number, host: string): Promise<number | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : undefined));
    });
  });
}
