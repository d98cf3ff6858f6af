import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AuditEvent, entryText } from '../../db/audit.ts';
import { createRangeCheck } from '../../db/audit-check.ts';
import { columnsAgree } from '../../db/audit-entry-columns.ts';
import { createRowDecoder, type SealedRow } from '../../db/audit-rows.ts';
import { createSoundRowCheck } from '../../db/audit-sound-row.ts';
import { chainHash, leafHash } from '../../security/audit-chain.ts';
import { CanonicalJsonError, canonicalJson } from '../../security/canonical-json.ts';
import { parseCanonical } from '../../verifier/canonical.ts';
import { entryHmac, sealHmac } from '../helpers/audit-macs.ts';
import { rowFields, sealedRowBytes } from '../helpers/sealed-row-bytes.ts';

const auditKey = createSecretKey(randomBytes(32));
const BEFORE = randomBytes(32);

const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((one) => one.isWellFormed() && !one.includes('\0'));
const plain = fc.constantFrom('user', 'login.succeeded', '0190a5a0-0000-7000-8000-000000000001', 'é€😀', '');
const orNull = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: null });
const { tree: value } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    ...[text, fc.constantFrom<unknown>(null, true, false, {}, [], 0, -1, 5e-324, 1.5e-7, 0.1), fc.integer()],
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(text, tie('tree'), { maxKeys: 3 }),
  ),
}));
const details = fc.dictionary(text, value, { maxKeys: 4 });
const time = fc
  .date({ min: new Date('1950-01-01'), max: new Date('2280-01-01'), noInvalidDate: true })
  .chain((date) => fc.nat(999).map((micros) => date.toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`)));

interface Drawn {
  id: string;
  at: string;
  event: Omit<AuditEvent, 'outcome'> & { outcome: string };
  severity: string;
}

const drawn = (word: fc.Arbitrary<string>): fc.Arbitrary<Drawn> =>
  fc.record({
    id: fc.uuid(),
    at: time,
    severity: word,
    event: fc.record({
      action: word,
      actor: fc.record({ kind: fc.constant('user' as const), id: word }, { requiredKeys: ['kind'] }),
      subject: fc.record({ kind: plain, id: word }),
      outcome: word,
      ip: orNull(word),
      userAgent: orNull(word),
      requestId: orNull(word),
      workflowId: orNull(word),
      details,
    }),
  });

/** As `append` writes it. */
const entryOf = ({ id, at, event, severity }: Drawn) => canonicalJson({ v: 1, id, at, severity, ...event });

function rowOf(one: Drawn, entry = entryOf(one), numbers: Partial<SealedRow> = {}): SealedRow {
  const { id, at, event, severity } = one;
  const sealed = {
    ...{ seq: 7, entryId: id, n: '12', era: '0', xid: '4711', prevHash: BEFORE, horizon: null },
    ...{ hash: chainHash(BEFORE, entry), leafHash: leafHash(entry), sealedAt: '2026-11-25T10:00:00.000001Z' },
    ...numbers,
  };
  const { action, actor, subject, outcome } = event;
  const stored = { id, at, action, actor: actor.id ?? null, subject: subject.id, outcome, severity };
  return { ...sealed, entry, stored, entryHmac: entryHmac(auditKey, entry), sealMac: sealHmac(auditKey, sealed) };
}

const isSound = createSoundRowCheck([auditKey]);
const soundBytes = (bytes: Buffer) => isSound(rowFields(bytes), 7, BEFORE);

/** What the check of the object says, which is what counts. */
function isSoundAsObject(row: SealedRow): boolean {
  const walk = createRangeCheck([auditKey]).walk({ from: 7, to: 8, sizes: [] });
  walk.push(row);
  return row.prevHash.equals(BEFORE) && walk.end().fault === null;
}

describe('the text of an entry', () => {
  const own = { id: '0190a5a0-0000-7000-8000-000000000001', at: '2026-11-25T10:00:00.000001Z', severity: 'info' };
  const event = {
    action: 'a.b',
    actor: { kind: 'system' },
    subject: { id: 's', kind: 't' },
    outcome: 'success',
  } as const;

  it('is the canonical JSON of its members, whatever they are', () => {
    fc.assert(
      fc.property(drawn(text), ({ event }) => {
        expect(entryText(event as AuditEvent, own)).toBe(canonicalJson({ v: 1, ...own, ...event }));
      }),
    );
  });

  it('has null for what is not known, and no more of the parties than belongs there', () => {
    const event = { action: 'a.b', actor: { kind: 'system', more: 1 }, subject: { id: 's', kind: 't', more: 1 } };
    expect(JSON.parse(entryText({ ...event, outcome: 'success' } as unknown as AuditEvent, own))).toEqual({
      ...{ ...own, v: 1, action: 'a.b', actor: { kind: 'system' }, subject: { id: 's', kind: 't' } },
      ...{ outcome: 'success', details: {}, ip: null, userAgent: null, requestId: null, workflowId: null },
    });
  });

  it('is refused where a part is not strict JSON', () => {
    for (const [part, path] of [
      [{ details: { when: { at: new Date() } } }, '/details/when/at'],
      [{ ip: 7n }, '/ip'],
      [{ subject: { id: undefined, kind: 't' } }, '/id'],
      [{ actor: { id: undefined, kind: 'user' } }, '/id'],
    ] as const) {
      const writing = () => entryText({ ...event, ...part } as unknown as AuditEvent, own);
      expect(writing).toThrow(CanonicalJsonError);
      expect(writing).toThrow(`${path}: `);
    }
  });

  it('nests as deep as canonical JSON does, and no deeper', () => {
    const nested = (levels: number): Record<string, unknown> => (levels === 1 ? {} : { in: nested(levels - 1) });
    const withDetails = (levels: number) => ({ ...event, details: nested(levels) });
    expect(parseCanonical(entryText(withDetails(63), own))).toMatchObject({ action: 'a.b' });
    expect(() => canonicalJson(withDetails(64))).toThrow('nested deeper');
    expect(() => entryText(withDetails(64), own)).toThrow('nested deeper');
  });
});

describe('a row in the bytes of PostgreSQL', () => {
  it('is sound as it is written, whatever an event says, as long as its columns need no escape', () => {
    fc.assert(
      fc.property(drawn(plain), (one) => {
        fc.pre(!/\\/.test(canonicalJson(one.event.details)));
        expect(soundBytes(sealedRowBytes(rowOf(one)))).toBe(true);
      }),
    );
  });

  it('is never called sound where its object is not', () => {
    fc.assert(
      fc.property(drawn(fc.oneof(text, plain)), (one) => {
        const row = rowOf(one);
        if (soundBytes(sealedRowBytes(row))) expect(isSoundAsObject(row)).toBe(true);
      }),
    );
  });

  it('is what its object is, decoded', () => {
    const rows = createRowDecoder();
    fc.assert(
      fc.property(drawn(text), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (one, xid) => {
        const row = rowOf(one, entryOf(one), { xid: String(xid), horizon: '9:12:10' });
        expect(rows(rowFields(sealedRowBytes(row)))).toEqual(row);
      }),
    );
  });

  it.each([
    { seq: 7, n: '0', era: '0', xid: '9' },
    { n: '9', era: '10', xid: '4294967296', horizon: '4294967296:4294967299:4294967297' },
    { n: String(2 ** 40), era: '2147483647', xid: String(2 ** 52 + 1), sealedAt: '2150-02-28T01:02:03.040506Z' },
    { sealedAt: '1969-12-31T23:59:59.999999Z' },
  ])('is covered by its seal, with the numbers %j', (numbers) => {
    const [one] = fc.sample(drawn(plain), { numRuns: 1, seed: 3 }) as [Drawn];
    const row = rowOf({ ...one, event: { ...one.event, details: { n: 1 } } }, undefined, numbers);
    const plainRow = rowOf({ ...one, event: { ...one.event, details: { n: 1 } } });
    expect(soundBytes(sealedRowBytes(row))).toBe(true);
    expect(soundBytes(sealedRowBytes({ ...row, sealMac: plainRow.sealMac }))).toBe(false);
  });

  it.each(['hash', 'leafHash'] as const)(
    'is not sound with another %s, though one who has the key sealed it',
    (name) => {
      const [one] = fc.sample(drawn(plain), { numRuns: 1, seed: 11 }) as [Drawn];
      const event = { ...one.event, details: {} };
      expect(soundBytes(sealedRowBytes(rowOf({ ...one, event })))).toBe(true);
      expect(soundBytes(sealedRowBytes(rowOf({ ...one, event }, undefined, { [name]: randomBytes(32) })))).toBe(false);
    },
  );

  it('is not sound with any of its bytes changed, or any field without a value or longer', () => {
    const [one] = fc.sample(drawn(plain), { numRuns: 1, seed: 5 }) as [Drawn];
    const row = rowOf({ ...one, event: { ...one.event, actor: { kind: 'user', id: 'u-1' } } }, undefined, {
      horizon: '9:12:10',
    });
    const bytes = sealedRowBytes(row);
    expect(soundBytes(bytes)).toBe(true);
    const { from, to } = rowFields(bytes);
    for (const [field, begin] of from.entries()) {
      const end = to[field] as number;
      for (let at = begin; at < end; at += 1) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ 1;
        expect(soundBytes(changed), `field ${field}, byte ${at - begin}`).toBe(false);
      }
      const [head, tail] = [bytes.subarray(0, begin - 4), bytes.subarray(end)];
      const nothing = Buffer.from('ffffffff', 'hex');
      expect(soundBytes(Buffer.concat([head, nothing, tail])), `field ${field}, null`).toBe(false);
      const longer = Buffer.alloc(5 + end - begin);
      longer.writeInt32BE(1 + end - begin);
      bytes.copy(longer, 4, begin, end);
      expect(soundBytes(Buffer.concat([head, longer, tail])), `field ${field}, longer`).toBe(false);
    }
    expect(isSound(rowFields(bytes), 8, BEFORE)).toBe(false);
    expect(isSound(rowFields(bytes), 7, randomBytes(32))).toBe(false);
  });
});

describe('the columns beside a text', () => {
  const ofRow = (row: SealedRow) => {
    const at = Buffer.from(row.stored.at ?? '');
    return columnsAgree(rowFields(sealedRowBytes(row)), Buffer.from(row.stored.id ?? ''), at, at.length);
  };
  /** A text of which one byte is another one, taken out or put in, and which is still UTF-8. */
  const mutated = fc
    .tuple(drawn(fc.oneof(text, plain)), fc.nat(), fc.integer({ min: 0x20, max: 0x7e }), fc.nat(2))
    .map(([one, place, byte, what]) => {
      const entry = entryOf(one);
      const at = place % entry.length;
      const put = what === 0 ? '' : String.fromCharCode(byte);
      return { one, entry: entry.slice(0, at) + put + entry.slice(what === 2 ? at : at + 1) };
    })
    .filter(({ entry }) => entry.isWellFormed());

  it('agree only where parsing says so too, for whatever may stand in an entry and in its columns', () => {
    let agreed = 0;
    fc.assert(
      fc.property(mutated, ({ one, entry }) => {
        const row = rowOf(one, entry);
        if (!ofRow(row)) return;
        agreed += 1;
        expect(isSoundAsObject(row), entry).toBe(true);
      }),
      { numRuns: 20_000 },
    );
    expect(agreed).toBeGreaterThan(100);
  }, 240_000);

  it.each(['a"b', 'a\\b', 'a\nb'])('do not agree with a text that has %j without its escape', (action) => {
    const [one] = fc.sample(drawn(plain), { numRuns: 1, seed: 7 }) as [Drawn];
    const given = { ...one, event: { ...one.event, action, details: {} } };
    const escaped = JSON.stringify(action).slice(1, -1);
    expect(
      ofRow(
        rowOf(
          given,
          entryOf(given).replace(escaped, () => action),
        ),
      ),
    ).toBe(false);
  });

  it.each([
    ...[
      '{"a":01}',
      '{"a":.5}',
      '{"a":1.}',
      '{"a":1e}',
      '{"a":-}',
      '{"a":+1}',
      '{"a":tru}',
      '{"a":"\t"}',
      '{"a":"\\x"}',
    ],
    ...[
      '{"a":[1,]}',
      '{"a":[,1]}',
      '{"a":1,}',
      '{,"a":1}',
      '{"a"}',
      '{"a":}',
      '{a:1}',
      '{"a":[1}',
      '{"a":{]}',
      '[]',
      '1',
    ],
    ...['{"a":1}}', '{"a":"', '{', '{"a":[[[', '{"a":nul', '{"a":1 }'],
  ])('do not agree with a text whose details are %s', (broken) => {
    const [one] = fc.sample(drawn(plain), { numRuns: 1, seed: 7 }) as [Drawn];
    const sound = { ...one, event: { ...one.event, details: { a: 1 } } };
    expect(ofRow(rowOf(sound))).toBe(true);
    expect(ofRow(rowOf(sound, entryOf(sound).replace('"details":{"a":1}', `"details":${broken}`)))).toBe(false);
  });
});
