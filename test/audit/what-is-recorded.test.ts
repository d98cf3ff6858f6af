import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, rows, run } from '../../db/sql.ts';
import { canonicalJson } from '../../security/canonical-json.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { entryHmac } from '../helpers/audit-macs.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

const PATH = '/api/admin/security/audit-logs';
const REASON = 'the customer asked on the telephone';

interface Entry {
  action: string;
  at: string;
  ip: string | null;
  userAgent: string | null;
  details: Record<string, unknown>;
  actor: { kind: string; id?: string };
  subject: { kind: string; id: string };
  seq: number | null;
}

/** Members in the order of their names (RFC 8785), which for ASCII is that of their code units. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}

describe('the audit log', () => {
  let stack: Stack;
  let trading: Trading;
  let auditor: SignedIn;
  let admin: SignedIn;

  beforeAll(async () => {
    stack = await createStack();
    trading = createTrading(stack);
    auditor = await stack.people.signedIn('auditor');
    admin = await stack.people.signedIn('admin');
  });
  afterAll(() => stack?.close());

  const find = async (query: string): Promise<Entry[]> =>
    (await stack.api.get(`${PATH}?${query}&limit=200`, { token: auditor.token })).body.items;

  /** One of each of the customer's kinds of event, made as people make them. */
  async function aDay(): Promise<{ customer: string; trader: string; held: string }> {
    const person = await stack.people.register();
    await stack.people.login({ ...person, password: 'not the password' });
    const { token } = (await stack.people.login(person)).body.session;
    const { secret } = (await stack.api.post('/api/auth/mfa/totp', {}, { token })).body;
    await stack.api.post('/api/auth/mfa/totp/confirm', { code: stack.people.totpCode(secret) }, { token });
    await stack.api.put('/api/profile', { phone: '+1 415 555 0123' }, { token });
    expect((await stack.api.post('/api/profile/reveal', { fields: ['phone'], reason: REASON }, { token })).status).toBe(
      200,
    );
    const trader = await trading.trader();
    expect((await trader.withdraw('5.00')).status).toBe(201);
    const held = await trading.held(await trading.trader());
    for (let n = 0; n < 5; n += 1) await stack.people.login({ ...person, password: `wrong password ${n}` });
    const [created] = await find('action=account.created');
    const customer = created?.subject.id ?? '';
    const unlock = await stack.api.post(
      `/api/admin/security/accounts/${customer}/unlock`,
      { reason: REASON },
      { token: admin.token },
    );
    expect(unlock.status).toBe(200);
    return { customer, trader: trader.userId, held };
  }

  it('[A5] [A6] holds every kind of event of a day, with time, address, user agent and details', async () => {
    const { customer, trader, held } = await aDay();
    const about = async (action: string, key: 'actor' | 'subject', id: string): Promise<Entry> => {
      const [entry] = await find(`action=${action}&${key}=${id}`);
      expect(entry, action).toBeDefined();
      return entry as Entry;
    };
    const entries = [
      await about('login.succeeded', 'subject', customer),
      await about('login.failed', 'subject', customer),
      await about('mfa.enrolled', 'subject', customer),
      await about('profile.revealed', 'subject', customer),
      await about('account.created', 'subject', customer),
      await about('transaction.settled', 'actor', trader),
      await about('transaction.held', 'subject', held),
      await about('lockout.unlock_requested', 'actor', admin.userId),
    ];
    // What the system itself does has no address and no browser, and says so.
    const own = [
      await about('lockout.started', 'subject', customer),
      await about('lockout.ended', 'subject', customer),
    ];
    const suspicion = (await find('action=incident.opened')).filter(({ details }) => details.cause === 'quarantine');
    expect(suspicion).toHaveLength(1);
    // Whoever takes entries out of the log is in it, too.
    expect((await find(`action=audit.read&actor=${auditor.userId}`)).length).toBeGreaterThan(8);
    for (const { at, ip, userAgent, details } of entries) {
      expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(120_000);
      expect(ip).toMatch(/^(127\.0\.0\.1|::1)$/);
      expect(userAgent).toEqual(expect.any(String));
      expect(details).toEqual(expect.any(Object));
    }
    for (const { at, details } of own) {
      expect(at).toMatch(/\.\d{6}Z$/);
      expect(details).toEqual(expect.any(Object));
    }
  });

  it('[A1] [A2] holds in each entry the hash of the one before, SHA-256 over its canonical text', async () => {
    const { origin } = await oneRow<{ origin: string }>(stack.ownerDb.fork(), 'select origin from audit_log_origin');
    for (let n = 0; n < 21; n += 1) await find('action=test.nothing');
    const sealed = await eventually(async () => {
      const found = await rows<{ seq: string; prev_hash: Buffer; hash: Buffer; entry: string }>(
        stack.ownerDb.fork(),
        'select s.seq, s.prev_hash, s.hash, e.entry from audit_seal s join audit_entry e on e.id = s.entry_id order by s.seq',
      );
      return found.length > 20 ? found : undefined;
    });
    const sha256 = (...parts: (string | Buffer)[]) =>
      parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
    let before = sha256(`tradeguard-log/v1\n${origin}`);
    for (const [n, { seq, prev_hash, hash, entry }] of sealed.entries()) {
      expect(Number(seq)).toBe(n);
      expect(prev_hash).toEqual(before);
      before = sha256(before, entry);
      expect(hash).toEqual(before);
      const parsed: unknown = JSON.parse(entry);
      expect(JSON.stringify(sorted(parsed))).toBe(entry);
    }
  });

  it('[A7] keeps an entry of twenty years ago: it is found, it is in the chain, and nothing takes it away', async () => {
    const id = uuidV7();
    const entry = canonicalJson({
      ...{ v: 1, id, at: '2006-11-25T09:00:00.000000Z', action: 'test.long_ago', actor: { kind: 'system' } },
      ...{ subject: { kind: 'thing', id: 'old' }, outcome: 'success', ip: null, userAgent: null },
      ...{ requestId: null, workflowId: null, details: {} },
    });
    await run(
      stack.db.fork(),
      `insert into audit_entry (id, entry, entry_hmac, at, action, subject, outcome)
       values ($1, $2, $3, '2006-11-25T09:00:00Z', 'test.long_ago', 'old', 'success')`,
      [id, entry, entryHmac(stack.config.auditKey, entry)],
    );
    const found = await eventually(async () => (await find('action=test.long_ago')).find(({ seq }) => seq !== null));
    expect(found.at).toBe('2006-11-25T09:00:00.000000Z');
    for (const who of [stack.db, stack.ownerDb]) {
      await expect(run(who.fork(), 'delete from audit_entry where at < now()')).rejects.toThrow(
        /permission denied|append-only/,
      );
    }
    expect(await find('to=2007-01-01T00:00:00Z')).toHaveLength(1);
  });
});
