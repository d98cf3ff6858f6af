import type { Logger } from 'pino';
import type { WitnessOutcome } from '../db/audit-checkpoints.ts';
import { consistencyProof } from '../db/audit-tree.ts';
import type { Database } from '../db/orm.ts';
import type { CheckpointSettings } from '../platform/checkpoint-config.ts';
import { createWitnessClient, type WitnessAnswer } from '../platform/witness.ts';
import { findCosignature, parseWitnessKey } from '../security/cosignature.ts';

/** How far a cosignature's time may be from this machine's, seconds. */
const MAX_SKEW_SECONDS = 300n;

export interface WitnessQuestion {
  /** The signed note, and its text: what the witness signs. */
  note: string;
  text: string;
  size: number;
  /** The last published note of this log, and its size; null for none. */
  last: { note: string; text: string; size: number } | null;
}

/**
 * Has checkpoints cosigned by a witness who holds them against what it saw before. Whatever it does, the note comes back:
 * a witness that is down, or refuses, is recorded and never stands in the way.
 */
export function createCheckpointWitness({
  settings,
  db,
  log,
}: {
  settings: NonNullable<CheckpointSettings['witness']>;
  db: Database;
  log: Pick<Logger, 'warn'>;
}) {
  const client = createWitnessClient(settings.url);
  const witness = parseWitnessKey(settings.key);

  async function ask(
    { note, size }: WitnessQuestion,
    oldSize: number,
    signal: AbortSignal | undefined,
  ): Promise<WitnessAnswer> {
    const proof =
      oldSize === 0 || oldSize >= size ? [] : await consistencyProof(db.fork(), { from: oldSize, to: size });
    return client.addCheckpoint({ oldSize, proof, note }, signal);
  }

  return {
    async cosign(
      question: WitnessQuestion,
      signal?: AbortSignal,
    ): Promise<{ note: string; outcome: Exclude<WitnessOutcome, 'none'> }> {
      const { note, text, size, last } = question;
      const believed = last && findCosignature(last.text, last.note, witness) ? last.size : 0;
      let answer = await ask(question, believed, signal);
      // Once more from where it is; a witness that knows a longer log than this one cannot be helped.
      if (answer.kind === 'knows' && answer.size <= size) answer = await ask(question, answer.size, signal);
      if (answer.kind === 'cosigned') {
        const found = findCosignature(text, answer.lines, witness);
        const skew = found && found.seconds - BigInt(Math.round(Date.now() / 1000));
        if (found && skew !== undefined && skew < MAX_SKEW_SECONDS && skew > -MAX_SKEW_SECONDS) {
          return { note: note + found.line, outcome: 'cosigned' };
        }
        log.warn({ witness: witness.name, size }, 'the witness answered with a cosignature that does not hold');
        return { note, outcome: 'invalid' };
      }
      const { kind, ...told } = answer;
      log.warn({ witness: witness.name, size, ...told }, `the witness did not cosign a checkpoint: ${kind}`);
      return { note, outcome: kind === 'unreachable' ? 'unreachable' : 'refused' };
    },
  };
}

export type CheckpointWitness = ReturnType<typeof createCheckpointWitness>;
