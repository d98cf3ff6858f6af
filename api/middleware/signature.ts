import type { KeyObject } from 'node:crypto';
import type { AuditLog } from '../../db/audit.ts';
import type { FrontDoorEvents } from '../../db/front-door-events.ts';
import { spendNonce } from '../../db/nonces.ts';
import type { Database } from '../../db/orm.ts';
import { signingSecrets } from '../../db/signing-keys.ts';
import { DomainError } from '../../domain/errors.ts';
import { networkKey } from '../../domain/network.ts';
import type { Keyring } from '../../security/keyring.ts';
import {
  type PresentedSignature,
  type ReceivedRequest,
  readSignature,
  type SignatureRefusal,
  signingKeyFrom,
  timestampRefusal,
  verifySignature,
} from '../../security/request-signing.ts';
import type { Principal, RequestFacts } from '../route.ts';

export interface SignatureDeps {
  db: Database;
  keyring: Keyring;
  audit: AuditLog;
  events: FrontDoorEvents;
  /** The installation's name in the signed text. */
  audience: string;
}

/** Keys whose secrets a process keeps opened; a secret never changes, and whether it is accepted is asked every time. */
const OPENED_KEYS = 10_000;

interface OpenedKey {
  keyId: string;
  userId: string;
  key: KeyObject;
}

interface Verdict {
  refusal: SignatureRefusal;
  /** Unix seconds: told only to who proved to hold the key, so that a wrong clock can be put right. */
  serverTime?: number;
}

/**
 * Holds a request against its signature (customer rows R1 to R6): form, then the MAC, then the time, then the nonce, which
 * is used up last and only by a request that is otherwise good. Outside every refusal looks alike; the audit entry says
 * which it was.
 */
export function createSignatureCheck({ db, keyring, audit, events, audience }: SignatureDeps) {
  const opened = new Map<string, OpenedKey>();

  async function candidatesFor(presented: PresentedSignature, userId: string): Promise<OpenedKey[]> {
    const known = presented.keyId === undefined ? undefined : opened.get(presented.keyId);
    if (known !== undefined) return [known];
    const found = await signingSecrets(db.fork(), keyring, { keyId: presented.keyId, userId });
    return found.map(({ keyId, userId: owner, secret }) => {
      const candidate = { keyId, userId: owner, key: signingKeyFrom(secret) };
      if (opened.size >= OPENED_KEYS) opened.delete(opened.keys().next().value as string);
      opened.set(keyId, candidate);
      return candidate;
    });
  }

  async function judge(request: ReceivedRequest, principal: Principal): Promise<Verdict | undefined> {
    const presented = readSignature(request, audience);
    if ('refusal' in presented) return presented;
    const candidates = await candidatesFor(presented, principal.userId);
    if (candidates.length === 0) {
      verifySignature(presented, undefined);
      return { refusal: presented.keyId === undefined ? 'key_id_required' : 'key_unknown' };
    }
    // All are tried: leaving early would tell which of two keys it was.
    const matching = candidates.filter((candidate) => verifySignature(presented, candidate))[0];
    if (matching === undefined) return { refusal: 'signature_mismatch' };
    if (matching.userId !== principal.userId) return { refusal: 'key_of_another_user' };

    const { nonce, timestamp } = presented.parts;
    const now = Date.now() / 1000;
    const outside = timestampRefusal(timestamp, now);
    if (outside !== undefined) return { refusal: outside, serverTime: Math.floor(now) };
    const { outcome, serverTime } = await spendNonce(db.fork(), {
      keyId: matching.keyId,
      userId: principal.userId,
      nonce,
      timestamp,
    });
    if (outcome === 'fresh') return undefined;
    return outcome === 'timestamp_old' || outcome === 'timestamp_future'
      ? { refusal: outcome, serverTime }
      : { refusal: outcome };
  }

  return {
    /** @throws DomainError `signature_invalid`, the same for every reason */
    async check(request: ReceivedRequest, principal: Principal, facts: RequestFacts, route: string): Promise<void> {
      const verdict = await judge(request, principal);
      if (verdict === undefined) return;
      const { refusal, serverTime } = verdict;
      await audit.append(db.fork(), {
        action: 'signature.refused',
        actor: { kind: 'user', id: principal.userId },
        subject: { kind: 'user', id: principal.userId },
        outcome: 'denied',
        ip: facts.ip,
        userAgent: facts.userAgent,
        requestId: facts.requestId,
        details: { reason: refusal, route, sessionId: principal.sessionId },
      });
      await events.record({
        kind: 'signature_invalid',
        bucket: `${route} ${principal.userId} ${refusal}`,
        route: `${request.method} ${route}`,
        network: networkKey(facts.ip ?? ''),
        userId: principal.userId,
        cause: refusal,
      });
      throw new DomainError(
        'signature_invalid',
        'This call must be signed with one of your signing keys, and its signature does not hold.',
        serverTime === undefined ? {} : { serverTime },
      );
    },
  };
}

export type SignatureCheck = ReturnType<typeof createSignatureCheck>;
