import Bowser from 'bowser';

/** The families a user agent belongs to, `unknown` where it does not say. */
export type UserAgentFamilies = { browser: string; os: string };

const UNKNOWN = 'unknown';
const FAMILY = /^[a-z0-9][a-z0-9 .+-]{0,39}$/;

/**
 * Browser and operating system of a User-Agent header, as lower-case families without versions, so that an update does
 * not make a new device. A header is a claim of the client, never a proof.
 */
export function parseUserAgent(userAgent: string): UserAgentFamilies {
  if (userAgent.trim() === '') return { browser: UNKNOWN, os: UNKNOWN };
  // The space lets the parser's last rule name a lone product such as `curl/8.5.0`.
  const parser = Bowser.getParser(`${userAgent} `);
  return { browser: family(parser.getBrowser().name), os: family(parser.getOS().name) };
}

/** For a browser it does not know the parser gives a piece of the header, which may be any text. */
function family(name: string | undefined): string {
  const lowerCase = name?.toLowerCase() ?? '';
  return FAMILY.test(lowerCase) ? lowerCase : UNKNOWN;
}
