import type { Request } from 'express';
import type { HelmetOptions } from 'helmet';
import proxyAddr from 'proxy-addr';
import { DomainError } from '../../domain/errors.ts';

/**
 * Headers that every answer carries. Scripts and styles come from this origin alone, and nothing may frame a page.
 * X-XSS-Protection is sent as 0, as OWASP asks: the filters it once switched on could be used against a page.
 */
export function securityHeaders(production: boolean): HelmetOptions {
  return {
    strictTransportSecurity: production ? { maxAge: 31_536_000, includeSubDomains: true } : false,
    xFrameOptions: { action: 'deny' },
    xContentTypeOptions: true,
    xXssProtection: true,
    referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
    contentSecurityPolicy: { useDefaults: false, directives: contentSecurityPolicy(production) },
  };
}

/**
 * Directives of the content security policy, by their names in camel case.
 *
 * @param styleNonce of one answer: style elements that carry it are allowed beside style sheets of this origin
 */
export function contentSecurityPolicy(production: boolean, styleNonce?: string): Record<string, string[]> {
  return {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", ...(styleNonce === undefined ? [] : [`'nonce-${styleNonce}'`])],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
    // Outside production there is no https to upgrade to.
    ...(production ? { upgradeInsecureRequests: [] } : {}),
  };
}

/** The same as the header's value, for the answers that need one of their own. */
export function contentSecurityPolicyHeader(production: boolean, styleNonce: string): string {
  return Object.entries(contentSecurityPolicy(production, styleNonce))
    .map(([name, values]) => [name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), ...values].join(' '))
    .join(';');
}

export interface TransportDeps {
  production: boolean;
  publicOrigin: string;
  trustedProxies: readonly string[];
}

/**
 * In production everything travels over TLS, ended here or by a trusted proxy that says so in `X-Forwarded-Proto`. A GET or
 * HEAD over plain HTTP is sent to the same address on https; what could carry a body is refused, since its secrets have
 * travelled in the clear already and a redirect would hide that.
 */
export function createTransportCheck({ production, publicOrigin, trustedProxies }: TransportDeps) {
  const trust = proxyAddr.compile([...trustedProxies]);

  function isSecure(req: Request): boolean {
    if ('encrypted' in req.socket && req.socket.encrypted === true) return true;
    const peer = req.socket.remoteAddress;
    if (peer === undefined || !trust(peer, 0)) return false;
    const forwarded = req.headers['x-forwarded-proto'];
    return (Array.isArray(forwarded) ? forwarded[0] : forwarded)?.split(',')[0]?.trim().toLowerCase() === 'https';
  }

  /** @returns where to send the client, or undefined. @throws DomainError `tls_required` */
  return (req: Request): string | undefined => {
    if (!production || isSecure(req)) return undefined;
    // Appended, not resolved: `//evil.example` resolved against our origin is another host.
    const path = req.originalUrl.startsWith('/') ? req.originalUrl : '/';
    if (req.method === 'GET' || req.method === 'HEAD') return publicOrigin + path;
    throw new DomainError('tls_required', 'Use https: what was just sent in the clear should be changed.');
  };
}

export type TransportCheck = ReturnType<typeof createTransportCheck>;
