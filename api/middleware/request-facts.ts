import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import proxyAddr from 'proxy-addr';
import { uuidV7 } from '../../security/uuid.ts';
import type { RequestFacts } from '../route.ts';

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

/**
 * Reads what every handler may know of a request. The client's address comes from `X-Forwarded-For` only as far as the
 * chain of configured proxies reaches; an IPv4-mapped IPv6 address is written as IPv4. However often it is asked about one
 * request, the answer is the same, and with it the id.
 */
export function createRequestFacts({ trustedProxies }: { trustedProxies: readonly string[] }) {
  const trust = proxyAddr.compile([...trustedProxies]);
  const known = new WeakMap<IncomingMessage, RequestFacts>();

  function read(req: IncomingMessage): RequestFacts {
    const header = (name: string): string | undefined => {
      const value = req.headers[name];
      return Array.isArray(value) ? value[0] : value;
    };
    const offered = header('x-request-id');
    const cookies = parseCookies(header('cookie'));
    return {
      requestId: offered !== undefined && REQUEST_ID.test(offered) ? offered : uuidV7(),
      ip: clientAddress(() => proxyAddr(req, trust)),
      userAgent: header('user-agent')?.slice(0, 512).toWellFormed().replaceAll('\0', '') ?? null,
      channel: header('origin') !== undefined || header('sec-fetch-site') !== undefined ? 'cookie' : 'bearer',
      header,
      cookie: (name) => cookies.get(name),
    };
  }

  return (req: IncomingMessage): RequestFacts => {
    const facts = known.get(req) ?? read(req);
    known.set(req, facts);
    return facts;
  };
}

function clientAddress(resolve: () => string | undefined): string | null {
  try {
    const address = resolve();
    return address === undefined ? null : ipaddr.process(address.replace(/%.*$/, '')).toString();
  } catch {
    return null;
  }
}

/** RFC 6265 section 4.2.1; the first of two cookies of one name counts. */
function parseCookies(text: string | undefined): Map<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of (text ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at < 1) continue;
    const name = pair.slice(0, at).trim();
    if (!cookies.has(name)) cookies.set(name, pair.slice(at + 1).trim());
  }
  return cookies;
}
