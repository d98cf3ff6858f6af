import { createPublicKey, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Checkpoint,
  checkpointKey,
  checkpointName,
  checkpointText,
  openCheckpoint,
  parseCheckpoint,
  parseCheckpointName,
  signCheckpoint,
} from '../../security/checkpoint.ts';
import { NoteError, openNote, parseVerifierKey, signNote, verifierKeyOf } from '../../security/signed-note.ts';

const ORIGIN = 'tradeguard.local/0190a5a0-0000-4000-8000-000000000001';
const { privateKey, publicKey } = checkpointKey({ auditKey: createSecretKey(Buffer.alloc(32, 7)) });
const verifier = parseVerifierKey(verifierKeyOf(ORIGIN, publicKey));
const checkpoint: Checkpoint = {
  ...{ origin: ORIGIN, size: 257, root: Buffer.alloc(32, 1), head: Buffer.alloc(32, 2) },
  ...{ time: '2026-11-25T10:00:00.000001Z', fork: 0, restored: null },
};

describe('signed notes', () => {
  it('opens the example of the specification', () => {
    const note =
      'If you think cryptography is the answer to your problem,\nthen you don’t know what your problem is.\n\n' +
      '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
    const neumann = parseVerifierKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    // The example has a typographic apostrophe nowhere else but in print.
    expect(openNote(note.replace('don’t', "don't"), [neumann])).toEqual({
      text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
      signedBy: ['PeterNeumann'],
    });
    expect(() => openNote(note, [neumann])).toThrow(/does not belong/);
    expect(verifierKeyOf('PeterNeumann', neumann.publicKey)).toBe(
      'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    );
  });

  it('passes over signatures of strangers, and needs one that is known', () => {
    const stranger = generateKeyPairSync('ed25519');
    const note = signNote('text\n', { name: 'log', privateKey });
    const both = note + signNote('text\n', { name: 'stranger', privateKey: stranger.privateKey }).split('\n\n')[1];
    const log = parseVerifierKey(verifierKeyOf('log', publicKey));
    expect(openNote(both, [log]).signedBy).toEqual(['log']);
    expect(() => openNote(both, [])).toThrow(/nobody/);
    // The name of a known one with another key is a stranger's, too.
    const impostor = parseVerifierKey(verifierKeyOf('log', stranger.publicKey));
    expect(() => openNote(note, [impostor])).toThrow(/nobody/);
  });

  it('refuses every changed byte', () => {
    const note = Buffer.from(signNote('some text\nof two lines\n', { name: 'log', privateKey }));
    const log = parseVerifierKey(verifierKeyOf('log', publicKey));
    for (let at = 0; at < note.length; at += 1) {
      const changed = Buffer.from(note);
      changed[at] = (note[at] ?? 0) ^ 1;
      expect(() => openNote(changed.toString(), [log]), String(at)).toThrow(NoteError);
    }
  });

  it('are the same to the byte as those of another implementation', () => {
    const seed = Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1);
    const { privateKey: neumanns } = checkpointKey({ seed: createSecretKey(seed) });
    const text =
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    expect(signNote(text, { name: 'PeterNeumann', privateKey: neumanns })).toBe(
      `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`,
    );
  });

  it('may have empty lines and what looks like a signature in their text', () => {
    const text = '\n— nobody AAAAAAA=\n\nOgnuno sta solo…\n\n';
    const log = parseVerifierKey(verifierKeyOf('log', publicKey));
    expect(openNote(signNote(text, { name: 'log', privateKey }), [log])).toEqual({ text, signedBy: ['log'] });
  });

  it('with a bad signature of a known key are void, whoever else signed', () => {
    const log = parseVerifierKey(verifierKeyOf('log', publicKey));
    const note = signNote('text\n', { name: 'log', privateKey });
    const ofAnother = signNote('another\n', { name: 'log', privateKey }).split('\n\n')[1];
    expect(() => openNote(`${note}${ofAnother}`, [log])).toThrow(/does not belong/);
    const short = Buffer.concat([log.keyId, Buffer.of(1)]).toString('base64');
    expect(() => openNote(`${note}— log ${short}\n`, [log])).toThrow(/does not belong/);
  });

  it.each<[string, (note: string) => string]>([
    ['nothing in them', () => ''],
    ['no signature', (note) => note.slice(0, note.lastIndexOf('\n\n') + 2)],
    ['no empty line', (note) => note.replace('\n\n', '\n')],
    ['no end of line', (note) => note.slice(0, -1)],
    ['a line after the signatures', (note) => `${note}more\n`],
    ['a hyphen for the dash', (note) => note.replace('—', '-')],
    ['two spaces', (note) => note.replace('— ', '—  ')],
    ['a name with a plus', (note) => `${note}— a+b AAAAAAA=\n`],
    ['a name with a space of another script', (note) => `${note}— a\u0085b AAAAAAA=\n`],
    ['a control character in a name', (note) => `${note}— a\u0001b AAAAAAA=\n`],
    ['a lone surrogate', (note) => `${note}— \ud800 AAAAAAA=\n`],
    ['carriage returns', (note) => note.replaceAll('\n', '\r\n')],
    ['base64 without its padding', (note) => note.replace(/=+\n$/, '\n')],
    ['a signature of nothing', (note) => `${note}— x AAAAAA==\n`],
    ['more signatures than anybody needs', (note) => note + (note.split('\n\n')[1] ?? '').repeat(100)],
    ['more text than anybody reads', (note) => 'x'.repeat(70_000) + note],
  ])('with %s are malformed', (_name, change) => {
    const note = signNote('text\n', { name: 'log', privateKey });
    const log = parseVerifierKey(verifierKeyOf('log', publicKey));
    expect(openNote(note, [log]).text).toBe('text\n');
    expect(() => openNote(change(note), [log])).toThrow(/a note is|malformed|too many|too long|ends with a newline/);
  });

  it.each(['no newline', 'tab\t\n', 'carriage return\r\n', ''])('does not sign %j', (text) => {
    expect(() => signNote(text, { name: 'log', privateKey })).toThrow(NoteError);
  });

  it.each(['two words', 'a+b', ''])('has no signer called %j', (name) => {
    expect(() => signNote('text\n', { name, privateKey })).toThrow(NoteError);
  });

  it.each([
    'PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10',
    'PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    'PeterNeumann',
    '',
  ])('%j is no verifier key', (text) => {
    expect(() => parseVerifierKey(text)).toThrow(NoteError);
  });
});

describe('checkpoints', () => {
  it('are the notes of the C2SP log checkpoint', () => {
    expect(checkpointText(checkpoint)).toBe(
      `${ORIGIN}\n257\n${'AQEB'.repeat(10)}AQE=\nhead ${'AgIC'.repeat(10)}AgI=\ntime 2026-11-25T10:00:00.000001Z\n`,
    );
    const forked = { ...checkpoint, fork: 2, restored: { kept: 200, lost: 256 } };
    expect(checkpointText(forked)).toMatch(/Z\nrestored 2 200 256\n$/);
    for (const one of [checkpoint, forked, { ...checkpoint, size: 0 }]) {
      expect(openCheckpoint(signCheckpoint(one, privateKey), [verifier])).toEqual(one);
    }
  });

  it('of another key are refused', () => {
    const { privateKey: other } = checkpointKey({ seed: createSecretKey(randomBytes(32)) });
    expect(() => openCheckpoint(signCheckpoint(checkpoint, other), [verifier])).toThrow(NoteError);
  });

  it('that the log itself did not sign are refused, whoever else is known and did', () => {
    const witness = generateKeyPairSync('ed25519');
    const note = signNote(checkpointText(checkpoint), { name: 'witness.example', privateKey: witness.privateKey });
    const known = [verifier, parseVerifierKey(verifierKeyOf('witness.example', witness.publicKey))];
    expect(() => openCheckpoint(note, known)).toThrow(/has not signed/);
  });

  it.each<[string, Partial<Checkpoint>]>([
    ['a size that is none', { size: 1.5 }],
    ['a fork without its restore', { fork: 1 }],
    ['a root that is too short', { root: Buffer.alloc(20) }],
    ['a time that is none', { time: 'now' }],
    ['an origin of two lines', { origin: 'a\nb' }],
  ])('with %s are not signed', (_name, change) => {
    expect(() => signCheckpoint({ ...checkpoint, ...change }, privateKey)).toThrow(NoteError);
  });

  it.each([
    ['a day that no month has', (text: string) => text.replace('2026-11-25', '2026-11-31')],
    ['an hour that no day has', (text: string) => text.replace('T10:', 'T24:')],
    ['a size with a zero in front', (text: string) => text.replace('\n257\n', '\n0257\n')],
    ['a size beyond what is exact', (text: string) => text.replace('\n257\n', '\n9007199254740993\n')],
    ['a hash that is too short', (text: string) => text.replace('AQEB', '')],
    ['bits behind the end of a hash', (text: string) => text.replace('AQE=', 'AQF=')],
    ['a time in milliseconds', (text: string) => text.replace('.000001Z', '.000Z')],
    ['no head', (text: string) => text.replace(/head .*\n/, '')],
    ['another line', (text: string) => `${text}more\n`],
    ['a fork that gave nothing up', (text: string) => `${text}restored 1 200 200\n`],
    ['a fork that kept more than it has', (text: string) => `${text}restored 1 300 400\n`],
    ['fork 0', (text: string) => `${text}restored 0 200 256\n`],
  ])('with %s are malformed', (_name, change) => {
    const text = checkpointText(checkpoint);
    expect(parseCheckpoint(text)).toEqual(checkpoint);
    expect(() => parseCheckpoint(change(text))).toThrow(NoteError);
  });

  it('sort by name as by fork and size', () => {
    const names = [
      { fork: 0, size: 0 },
      { fork: 0, size: 9 },
      { fork: 0, size: 10 },
      { fork: 0, size: 9007199254740991 },
      { fork: 1, size: 3 },
      { fork: 12, size: 1 },
    ].map(checkpointName);
    expect(names.toSorted()).toEqual(names);
    expect(parseCheckpointName('0012-00000000000000000001.txt')).toEqual({ fork: 12, size: 1 });
    expect(parseCheckpointName('12-1.txt')).toBeNull();
  });

  it('are signed with a key of their own: from the audit key, or from a seed', () => {
    const seed = createSecretKey(randomBytes(32));
    expect(checkpointKey({ seed }).publicKey.equals(checkpointKey({ seed }).publicKey)).toBe(true);
    expect(checkpointKey({ seed }).publicKey.equals(checkpointKey({ auditKey: seed }).publicKey)).toBe(false);
    expect(createPublicKey(privateKey).equals(publicKey)).toBe(true);
    expect(() => checkpointKey({ seed: createSecretKey(randomBytes(31)) })).toThrow(RangeError);
  });
});
