import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkpointHealth } from '../../db/audit-checkpoints.ts';
import { createWitnessClient } from '../../platform/witness.ts';
import { openCheckpoint } from '../../security/checkpoint.ts';
import { findCosignature, parseWitnessKey } from '../../security/cosignature.ts';
import { createPublishedLog, nameOf, type PublishedLog } from './checkpoint-fixture.ts';
import { startWitness } from './witness-server.ts';

let log: PublishedLog;
let witness: Awaited<ReturnType<typeof startWitness>>;
beforeEach(async () => {
  log = await createPublishedLog();
  witness = await startWitness(log.signer.verifierKey(await log.origin()));
});
afterEach(async () => {
  await witness.close();
  await log.close();
});

const publisher = () => log.publisherWith({ witness: log.witnessOf(witness) });
async function grow(...labels: unknown[]) {
  await log.append(...labels);
  await log.seal();
  const outcome = await publisher().publish({ trigger: 'schedule' });
  if (outcome.status !== 'published') throw new Error(outcome.status);
  return outcome;
}

describe('a witness', () => {
  it('cosigns each checkpoint after it was proved to be an extension of the last, and its line is published', async () => {
    for (const labels of [[1, 2, 3], [4], [5, 6]]) {
      const { note, witness: outcome, checkpoint } = await grow(...labels);
      expect(outcome).toBe('cosigned');
      const text = note.slice(0, note.indexOf('\n\n') + 1);
      expect(findCosignature(text, note, parseWitnessKey(witness.key))).toMatchObject({ line: expect.any(String) });
      expect(await log.place.read(nameOf(0, checkpoint.size))).toBe(note);
      // Its line is none of the log's: the note opens with the log's key alone.
      expect(openCheckpoint(note, log.signer.verifiers(await log.origin())).size).toBe(checkpoint.size);
    }
    expect(witness.requests.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(witness.requests.map(({ old }) => old)).toEqual([0, 3, 5]);
    expect(witness.requests[2]?.proof).toBeGreaterThan(0);
    expect(await log.entriesOf('audit.checkpoint_published')).toMatchObject(
      Array.from({ length: 3 }, () => ({ witness: 'cosigned' })),
    );
  });

  it('that is down, fails or does not answer never stops a checkpoint, and raises the alert', async () => {
    witness.behave('fails');
    expect(await grow(1)).toMatchObject({ witness: 'refused', places: { folder: null } });
    expect(await checkpointHealth(log.db.fork())).toMatchObject({ failures: 1 });
    await witness.close();
    expect(await grow(2)).toMatchObject({ witness: 'unreachable' });
    expect(await log.recorded()).toMatchObject([{ witness: 'refused' }, { witness: 'unreachable' }]);
  });

  it('that knows another size is asked once more from there', async () => {
    await grow(1, 2, 3);
    // Cosigned and never published: whoever asked died in between.
    await log.append(4);
    await log.seal();
    const dying = log.publisherWith({
      witness: log.witnessOf(witness),
      places: [{ ...log.place, publish: () => Promise.reject(new Error('killed')) }],
    });
    await expect(dying.publish({ trigger: 'schedule' })).rejects.toThrow('killed');
    expect(witness.latest()).toBeGreaterThan(3);
    expect(await grow(5, 6)).toMatchObject({ witness: 'cosigned' });
    expect(witness.requests.map(({ status }) => status)).toEqual([200, 200, 409, 200]);
    // It was away and is behind: also there it is told from where it is.
    witness.behave('fails');
    await grow(7);
    witness.behave('good');
    expect(await grow(8)).toMatchObject({ witness: 'cosigned' });
    expect(witness.requests.slice(-2).map(({ status }) => status)).toEqual([409, 200]);
  });

  it('whose cosignature does not hold is told of, and its line is not published', async () => {
    witness.behave('forges');
    const { witness: outcome, note } = await grow(1);
    expect(outcome).toBe('invalid');
    expect(note).not.toContain(witness.name);
  });

  it('refuses what was rewritten, and so does this log before it asks', async () => {
    await grow(1, 2, 3);
    const asked = witness.requests.length;
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 1)');
      await sql('delete from audit_seal where seq >= 1');
    });
    await log.append('other', 'others', 'more');
    await log.seal();
    expect(await publisher().publish({ trigger: 'schedule' })).toMatchObject({ status: 'refused' });
    expect(witness.requests).toHaveLength(asked);
  });

  it('that does not answer is not waited for longer than was said', async () => {
    witness.behave('hangs');
    const client = createWitnessClient(witness.url, { timeoutMs: 200 });
    expect(await client.addCheckpoint({ oldSize: 0, proof: [], note: 'n' })).toEqual({
      ...{ kind: 'unreachable', reason: 'TimeoutError' },
    });
  });
});

describe('a verifier key of a witness', () => {
  it('has to be of the right kind and to match its hash', () => {
    expect(parseWitnessKey(witness.key)).toMatchObject({ name: witness.name });
    const [name, hash, ...rest] = witness.key.split('+');
    const key = rest.join('+');
    expect(() => parseWitnessKey(`${name}+00000000+${key}`)).toThrow('hash');
    const asLog = Buffer.from(key, 'base64');
    asLog[0] = 1;
    expect(() => parseWitnessKey(`${name}+${hash}+${asLog.toString('base64')}`)).toThrow('cosignature/v1');
  });
});
