import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encryptedColumns } from '../../db/encrypted-columns.ts';
import type { KeyRotationRow } from '../../db/key-rotations.ts';
import { openKeyring } from '../../db/keyring.ts';
import { followKeyring } from '../../db/keyring-follower.ts';
import { oneRow, row, rows, run } from '../../db/sql.ts';
import { encryptField, fieldKeyId } from '../../security/field-encryption.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { type KeyRotationInput, taskQueues, workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { issueSigningKey } from '../helpers/signing.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createWorkerChild } from '../helpers/worker-child.ts';

const SSN = '536904399';
let stack: Stack;
let owner: SignedIn;
let admin: SignedIn;
/** The keyrings of the test itself, which stand for further processes. */
const stopping = new AbortController();
let following: Promise<void>;

beforeAll(async () => {
  stack = await createStack();
  following = followKeyring({
    db: stack.db,
    keyring: stack.keyring,
    log: pino({ level: 'silent' }),
    signal: stopping.signal,
    everyMs: 300,
  });
  owner = await stack.people.signedIn('customer');
  admin = await stack.people.signedIn('admin');
  await stack.api.put('/api/profile', { ssn: SSN, address: '1 Market St' }, { token: owner.token });
});
afterAll(async () => {
  stopping.abort();
  await following;
  await stack?.close();
});
afterEach(async () => {
  await run(
    stack.ownerDb.fork(),
    `update key_rotation set status = 'cancelled', finished_at = now() where status = 'running'`,
  );
  // Else every later rotation would re-encrypt them once more.
  await run(stack.ownerDb.fork(), `delete from outbox_mail where template = 'fill'`);
});

async function start(given: Partial<KeyRotationInput> = {}) {
  const rotationId = uuidV7();
  const input: KeyRotationInput = {
    ...{ rotationId, trigger: 'manual', scope: 'all', requestedBy: admin.userId },
    ...{ queues: taskQueues(stack.config.taskQueuePrefix), settleMs: 2_500, graceMs: 1_000, batchSize: 50 },
    ...given,
  };
  const handle = await stack.temporal.workflow.start('keyRotation', {
    workflowId: workflowIds.keyRotation(rotationId),
    taskQueue: `${stack.config.taskQueuePrefix}-background`,
    args: [input],
  });
  return { rotationId, handle };
}

const rotation = (id: string) =>
  row<KeyRotationRow>(stack.ownerDb.fork(), 'select * from key_rotation where id = $1', [id]);
const activeFieldKey = async () =>
  (
    await oneRow<{ key_id: string }>(
      stack.ownerDb.fork(),
      `select key_id from keyring_key where purpose = 'field' and retired_at is null`,
    )
  ).key_id;
const generationsOf = async (purpose: string) =>
  Number(
    (
      await oneRow<{ n: string }>(stack.ownerDb.fork(), 'select count(*) as n from keyring_key where purpose = $1', [
        purpose,
      ])
    ).n,
  );

/** Ids of the keys that all stored tokens of all registered columns name. */
async function keysInUse(): Promise<Set<string>> {
  const used = new Set<string>();
  for (const { table, column, rowId } of encryptedColumns) {
    const tokens = await rows<{ id: string; token: string }>(
      stack.ownerDb.fork(),
      `select ${rowId} as id, ${column} as token from ${table} where ${column} is not null`,
    );
    for (const { id, token } of tokens) used.add(fieldKeyId(token, { table, column, rowId: id }));
  }
  return used;
}

async function revealed(token: string) {
  const answer = await stack.api.post(
    '/api/profile/reveal',
    { fields: ['ssn'], reason: 'a test looks at it' },
    { token },
  );
  return answer.body.fields?.ssn ?? answer.body;
}

/** Letters that wait, as many rows to re-encrypt; never sent, since they are not due. */
async function fillOutbox(count: number): Promise<void> {
  const ids = Array.from({ length: count }, () => randomUUID());
  const place = (rowId: string) => ({ table: 'outbox_mail', column: 'body', rowId });
  await run(
    stack.ownerDb.fork(),
    `insert into outbox_mail (id, key, recipient, template, subject, body, next_attempt_at)
     select id, 'fill:' || id, 'a@example.com', 'fill', 'fill', body, now() + interval '1 day'
       from unnest($1::uuid[], $2::text[]) as f (id, body)`,
    [ids, ids.map((id) => encryptField(stack.keyring, `letter ${id}`, place(id)))],
  );
}

describe('[C8] a rotation of keys', () => {
  it('puts every field under a new key, keeps everybody signed in, and drops the old key', async () => {
    const before = await activeFieldKey();
    await fillOutbox(120);
    const { rotationId, handle } = await start();
    await handle.result();
    const after = await activeFieldKey();
    expect(after).not.toBe(before);
    expect(await keysInUse()).toEqual(new Set([after]));
    const done = await rotation(rotationId);
    expect(done).toMatchObject({ status: 'succeeded', fields_unreadable: '0' });
    expect(Number(done?.fields_done)).toBeGreaterThanOrEqual(124);
    expect(done?.fields_total).toBe(done?.fields_done);
    expect(await generationsOf('field')).toBe(1);
    // The session was made under the old generation, which stays for as long as it lives.
    expect(await generationsOf('session')).toBe(2);
    expect(await revealed(owner.token)).toBe(SSN);
    const fresh = await stack.people.signedIn('customer');
    expect((await stack.api.get('/api/profile', { token: fresh.token })).status).toBe(200);
    const audited = await rows<{ action: string }>(
      stack.ownerDb.fork(),
      `select distinct entry::jsonb ->> 'action' as action from audit_entry where entry::jsonb ->> 'action' like 'key%'`,
    );
    expect(audited.map(({ action }) => action).sort()).toEqual([
      'key.dropped',
      'key_rotation.completed',
      'key_rotation.started',
    ]);
  });

  it('disturbs nothing that is under way: reads, writes and sign-ins in the middle of it all succeed', async () => {
    await fillOutbox(300);
    const { handle } = await start({ batchSize: 5, graceMs: 2_500 });
    let running = true;
    const ended = handle.result().finally(() => {
      running = false;
    });
    const failures: unknown[] = [];
    let calls = 0;
    while (running) {
      const person = await stack.people.customer().catch((error) => failures.push(error));
      const read = await stack.api.get('/api/profile', { token: owner.token });
      const written = await stack.api.put('/api/profile', { address: `${calls} Market St` }, { token: owner.token });
      for (const answer of [read, written]) if (answer.status !== 200) failures.push(answer.body);
      if (typeof person === 'object') {
        const mine = await stack.api.get('/api/profile', { token: person.token });
        if (mine.status !== 200) failures.push(mine.body);
      }
      calls += 1;
    }
    await ended;
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(3);
    expect(await keysInUse()).toEqual(new Set([await activeFieldKey()]));
  });

  it('goes on where it was when the worker is killed in the middle of it', async () => {
    await stack.stopWorker();
    const child = createWorkerChild(stack);
    try {
      await fillOutbox(1_500);
      const { rotationId, handle } = await start({ batchSize: 5 });
      child.start();
      await eventually(async () => Number((await rotation(rotationId))?.fields_done) >= 50, {
        ...{ what: 'fifty fields by the other worker', everyMs: 10, timeoutMs: 120_000 },
      });
      await child.kill();
      const atKill = await rotation(rotationId);
      expect(atKill?.status).toBe('running');
      expect(Number(atKill?.fields_done)).toBeLessThan(1_500);
      expect((await keysInUse()).size).toBe(2);
      // Half of it is under the old key, half under the new one, and both open.
      expect(await revealed(owner.token)).toBe(SSN);
      child.start();
      await handle.result();
      const done = await rotation(rotationId);
      expect(done).toMatchObject({ status: 'succeeded', fields_total: done?.fields_done });
      expect(await keysInUse()).toEqual(new Set([await activeFieldKey()]));
    } finally {
      await child.kill();
      await child.deleteSchedules();
      await stack.startWorker();
    }
    // Two workers bundle the workflows in it, which a busy machine takes its time for.
  }, 240_000);

  it('is cancelled without harm, and the next one does the rest', async () => {
    // Enough for some seconds: the worker hears of the cancelling by its next heartbeat.
    await fillOutbox(4_000);
    const first = await start({ batchSize: 2, scope: 'field' });
    await eventually(async () => Number((await rotation(first.rotationId))?.fields_done) >= 25, { everyMs: 10 });
    await first.handle.cancel();
    await eventually(async () => (await rotation(first.rotationId))?.status === 'cancelled');
    expect((await keysInUse()).size).toBe(2);
    const second = await start({ scope: 'field' });
    await second.handle.result();
    expect(await keysInUse()).toEqual(new Set([await activeFieldKey()]));
    expect(await generationsOf('field')).toBe(1);
    expect(await revealed(owner.token)).toBe(SSN);
  });

  it('runs one at a time, by an administrator with a fresh factor, and shows no key', async () => {
    const ask = (token: string, body: object = {}) => stack.api.post('/api/admin/keys/rotations', body, { token });
    for (const role of ['customer', 'reviewer', 'auditor'] as const) {
      const { token } = await stack.people.signedIn(role);
      expect((await ask(token)).status).toBe(403);
    }
    const begun = await ask(admin.token, { scope: 'session' });
    expect(begun).toMatchObject({ status: 202, body: { status: 'running', scope: 'session', fieldsTotal: null } });
    expect(await ask(admin.token)).toMatchObject({ status: 409, body: { code: 'rotation_running' } });
    const location = begun.headers.get('location') ?? '';
    expect((await stack.api.post(`${location}/cancel`, {}, { token: admin.token })).status).toBe(202);
    await eventually(async () => (await stack.api.get(location, { token: admin.token })).body.status === 'cancelled');
    const again = await stack.api.post(`${location}/cancel`, {}, { token: admin.token });
    expect(again).toMatchObject({ status: 409, body: { code: 'illegal_transition' } });
    const list = await stack.api.get('/api/admin/keys', { token: admin.token });
    expect(list.body.keys).toContainEqual(expect.objectContaining({ purpose: 'session', state: 'pending' }));
    expect(list.body.keys.filter((key: { rotated: boolean }) => !key.rotated)).toContainEqual(
      expect.objectContaining({ purpose: 'blind-index', version: 1, state: 'active' }),
    );
    const records = await rows<{ record: { wrapped: string } }>(stack.ownerDb.fork(), 'select record from keyring_key');
    for (const { record } of records) expect(JSON.stringify(list.body)).not.toContain(record.wrapped);
    const auditor = await stack.people.signedIn('auditor');
    expect((await stack.api.get('/api/admin/keys/rotations', { token: auditor.token })).body.items[0].status).toBe(
      'cancelled',
    );
  });

  it('leaves an altered token as it is, keeps its key, and opens a critical incident', async () => {
    const victim = await stack.people.signedIn('customer');
    await stack.api.put('/api/profile', { ssn: SSN }, { token: victim.token });
    const broken = await oneRow<{ ssn: string }>(
      stack.ownerDb.fork(),
      `update profile set ssn = left(ssn, 60) || case when substr(ssn, 61, 1) = 'A' then 'B' else 'A' end
          || substr(ssn, 62) where user_id = $1 returning ssn`,
      [victim.userId],
    );
    const key = await activeFieldKey();
    const { rotationId, handle } = await start({ scope: 'field' });
    await handle.result();
    expect(await rotation(rotationId)).toMatchObject({ status: 'succeeded', fields_unreadable: '1' });
    expect(await row(stack.ownerDb.fork(), 'select ssn from profile where user_id = $1', [victim.userId])).toEqual(
      broken,
    );
    expect(await keysInUse()).toEqual(new Set([key, await activeFieldKey()]));
    expect(await generationsOf('field')).toBe(2);
    expect(
      await row(
        stack.ownerDb.fork(),
        `select severity from incident where cause = 'field_tampered' and subject_id = 'key-rotation'`,
      ),
    ).toEqual({ severity: 'critical' });
    await run(stack.ownerDb.fork(), 'update profile set ssn = null, ssn_index = null where user_id = $1', [
      victim.userId,
    ]);
  });

  it('drops a session key when its last session has ended', async () => {
    await (await start({ scope: 'session' })).handle.result();
    const before = await generationsOf('session');
    expect(before).toBeGreaterThan(1);
    await run(stack.ownerDb.fork(), `update session set created_at = created_at - interval '2 days'`);
    await run(
      stack.ownerDb.fork(),
      `update keyring_key set retired_at = retired_at - interval '1 day' where purpose in ('session', 'csrf')`,
    );
    await (await start({ scope: 'field' })).handle.result();
    expect(await generationsOf('session')).toBe(before);
    await run(stack.ownerDb.fork(), 'update session set expires_at = now()');
    await (await start({ scope: 'field' })).handle.result();
    expect(await generationsOf('session')).toBe(1);
    expect(await generationsOf('csrf')).toBe(1);
    // Device cookies live longer than a year: their keys stay.
    expect(await generationsOf('device-cookie')).toBe(before);
    admin = await stack.people.signedIn('admin');
    owner = await stack.people.signedIn('customer');
    await stack.api.put('/api/profile', { ssn: SSN }, { token: owner.token });
  });

  it('reminds of secrets that only outsiders can change, with their age, until they are changed', async () => {
    const secrets = () =>
      rows<{ title: string; status: string }>(
        stack.ownerDb.fork(),
        `select title, status from incident where cause = 'secret_age' and subject_id = 'SESSION_SECRET'`,
      );
    const { keyId } = await issueSigningKey(stack.api, owner.token);
    await run(stack.ownerDb.fork(), `update outside_secret set since = now() - interval '40 days'`);
    await run(stack.ownerDb.fork(), `update signing_key set created_at = now() - interval '40 days'`);
    await (await start({ scope: 'session' })).handle.result();
    expect(await secrets()).toEqual([
      { title: 'SESSION_SECRET is 40 days old: change it where it comes from', status: 'open' },
    ]);
    // The owner of a signing key is written to: nobody else knows its secret.
    const letter = await stack.mail.waitFor(owner.email, { subject: /signing key/ });
    expect(letter.text).toContain(`Your request-signing key ${keyId} is 40 days old.`);
    const [shown] = (await stack.api.get('/api/admin/keys', { token: admin.token })).body.secrets;
    expect(shown).toMatchObject({ name: 'SESSION_SECRET', ageDays: 40 });
    await run(stack.ownerDb.fork(), 'update outside_secret set since = now()');
    await (await start({ scope: 'session' })).handle.result();
    expect((await secrets())[0]?.status).toBe('resolved');
  });

  it('covers every column that the schema describes as a field token', async () => {
    const described = await rows<{ place: string }>(
      stack.ownerDb.fork(),
      `select c.relname || '.' || a.attname as place from pg_description d
         join pg_class c on c.oid = d.objoid and d.classoid = 'pg_class'::regclass
         join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid
        where d.description like '%field token%'`,
    );
    expect(described.length).toBeGreaterThan(8);
    expect(encryptedColumns.map(({ table, column }) => `${table}.${column}`).sort()).toEqual(
      described.map(({ place }) => place).sort(),
    );
  });
});

describe('[C8] another process', () => {
  it('changes over by itself, and loads a key that it does not know when a token names it', async () => {
    const other = await openKeyring(stack.db, stack.config);
    const far = new AbortController();
    const log = pino({ level: 'silent' });
    // It would look again in an hour: what it learns before, it learns from the token.
    const follower = followKeyring({ db: stack.db, keyring: other, log, signal: far.signal, everyMs: 3_600_000 });
    const { handle } = await start({ scope: 'field', settleMs: 0 });
    await handle.result();
    const active = await activeFieldKey();
    expect(other.generations('field').some(({ keyId }) => keyId === active)).toBe(false);
    expect(() => other.openingKey('field', active)).toThrow(`no field key ${active}`);
    await eventually(() => other.generations('field')[0]?.keyId === active, { timeoutMs: 3_000 });
    expect(other.openingKey('field', active)).toBeDefined();
    far.abort();
    await follower;
    await sleep(0);
  });

  it('that boots while a new key is not yet active goes on with the old one', async () => {
    const { handle } = await start({ scope: 'field', settleMs: 60_000 });
    await eventually(async () => (await generationsOf('field')) > 1);
    const booted = await openKeyring(stack.db, stack.config);
    const states = booted.generations('field').map(({ version, active }) => [version, active]);
    const newest = Math.max(...states.map(([version]) => Number(version)));
    expect(states.find(([version]) => version === newest)?.[1]).toBe(false);
    expect(states.filter(([, active]) => active)).toHaveLength(1);
    await handle.cancel();
  });
});
