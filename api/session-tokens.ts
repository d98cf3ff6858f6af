import type { Keyring } from '../security/keyring.ts';
import { csrfTokenFor, isOpaqueToken, tokenHashes } from '../security/tokens.ts';
import type { Cookie, Reply, RequestFacts } from './route.ts';

/** Browsers cap a cookie's life at 400 days. */
const DEVICE_COOKIE_SECONDS = 400 * 86_400;

/** How tokens reach a client: browsers get cookies, everybody else gets JSON, nobody gets both. */
export function createTokenDelivery({ keyring, production }: { keyring: Keyring; production: boolean }) {
  const prefix = production ? '__Host-' : '';
  const sessionCookie = `${prefix}tradeguard`;
  const deviceCookie = `${prefix}tradeguard-device`;

  const deviceCookieOf = (token: string): Cookie => ({
    name: deviceCookie,
    value: token,
    maxAge: DEVICE_COOKIE_SECONDS,
  });

  return {
    /** The presented device cookie or token, as the hashes it may be stored under. */
    presentedDevice(request: RequestFacts, deviceToken: string | undefined): Buffer[] {
      const token = deviceToken ?? request.cookie(deviceCookie);
      return token !== undefined && isOpaqueToken(token) ? tokenHashes(keyring, 'device-cookie', token) : [];
    },

    /** A device token for a client that did not sign in yet. */
    device(
      channel: RequestFacts['channel'],
      token: string,
    ): Pick<Reply, 'cookies'> & { body: { deviceToken?: string } } {
      return channel === 'cookie' ? { cookies: [deviceCookieOf(token)], body: {} } : { body: { deviceToken: token } };
    },

    /** The members of an answer that open a session. */
    session(
      channel: RequestFacts['channel'],
      given: { sessionId: string; token: string; expiresAt: string; deviceToken: string | null },
    ): { cookies: Cookie[]; body: Record<string, unknown> } {
      const { sessionId, token, expiresAt, deviceToken } = given;
      if (channel === 'bearer') {
        return {
          cookies: [],
          body: { session: { token, expiresAt }, ...(deviceToken === null ? {} : { deviceToken }) },
        };
      }
      const maxAge = Math.max(0, Math.floor((Date.parse(expiresAt) - Date.now()) / 1000));
      return {
        cookies: [
          { name: sessionCookie, value: token, maxAge },
          ...(deviceToken === null ? [] : [deviceCookieOf(deviceToken)]),
        ],
        body: { session: { expiresAt }, csrfToken: csrfTokenFor(keyring, sessionId) },
      };
    },

    /** Takes the session's cookie away. */
    clearedSession: (): Cookie => ({ name: sessionCookie, value: '', maxAge: 0 }),
  };
}

export type TokenDelivery = ReturnType<typeof createTokenDelivery>;

/**
 * The tokens a factor attempt leads to. They are derived, not drawn, so that a submission sent twice (a double click, a
 * lost answer) is answered twice with tokens that work, although only hashes are stored. The key is none of those that the
 * monthly rotation turns over: the second answer may come after it.
 */
export function factorTokens(keyring: Keyring, attemptId: string): { session: string; device: string } {
  return {
    session: keyring.hmac('factor-code', 'session-token', attemptId).toString('base64url'),
    device: keyring.hmac('factor-code', 'device-token', attemptId).toString('base64url'),
  };
}
