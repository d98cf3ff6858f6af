import type { Logger } from 'pino';
import type { AuditLog } from '../db/audit.ts';
import {
  type CheckpointTrigger,
  hasNewsSince,
  recordCheckpoint,
  sealedLog,
  unrecordedCheckpoints,
  type WitnessOutcome,
} from '../db/audit-checkpoints.ts';
import { headAt, rootAt } from '../db/audit-tree.ts';
import type { Database } from '../db/orm.ts';
import type { Tx } from '../db/sql.ts';
import { type AcceptedRestore, bindingSize } from '../domain/checkpoint-lineage.ts';
import { isDomainError } from '../domain/errors.ts';
import type { CheckpointPlace } from '../platform/checkpoint-folder.ts';
import { type Checkpoint, checkpointName, checkpointText, signCheckpoint } from '../security/checkpoint.ts';
import { type CheckpointFault, faultOf, type LogState, openPublished } from './checkpoint-check.ts';
import { type PublishedName, reasonOf, type Survey, surveyPlaces } from './checkpoint-places.ts';
import type { CheckpointSigner } from './checkpoint-signer.ts';
import type { CheckpointWitness } from './checkpoint-witness.ts';
import { type ReadOptions, readEvidence } from './published-evidence.ts';

/** Names that are copied from one place to another, or recorded again, in one run: a day of hourly ones and more. */
const CATCH_UP_LIMIT = 500;

export interface PublisherDeps {
  db: Database;
  audit: AuditLog;
  signer: CheckpointSigner;
  places: readonly CheckpointPlace[];
  witness: CheckpointWitness | null;
  log: Pick<Logger, 'info' | 'warn'>;
}

/** The log is damaged, so that no checkpoint can be made of it; `detail` says what is missing. */
export interface Damage {
  status: 'refused';
  reason: 'log_damaged';
  detail: string;
  name: null;
  place: null;
  publishedSize: null;
  size: number;
}

/** A published checkpoint does not go together with the log: nothing is published until a person has seen to it. */
export interface Refusal {
  status: 'refused';
  reason: CheckpointFault;
  /** The published checkpoint, and where it lies. */
  name: string;
  place: string;
  /** How long it says the log is, where it could be read, and how long it is. */
  publishedSize: number | null;
  size: number;
}

export type PublishOutcome =
  | {
      status: 'published';
      checkpoint: Checkpoint;
      note: string;
      places: Record<string, string | null>;
      witness: WitnessOutcome;
    }
  /** Nothing was sealed since the last one, which is named; null where the log is empty. */
  | { status: 'unchanged'; name: string | null }
  | Refusal
  | Damage;

/** What a survey and a look at the log give: the log, and the last published checkpoint that it is held against. */
export interface Standing {
  survey: Survey;
  log: LogState & { now: string };
  last: { checkpoint: Checkpoint; note: string; name: string } | null;
  restores: AcceptedRestore[];
  refusal: Refusal | null;
}

/**
 * Publishes checkpoints of the log. What counts is what is published: each new one is proved to be an extension of the last
 * one of every place, so whoever changes the database has to change what lies outside it as well. Any number of publishers
 * may run at once, and each may die between two steps: a name is taken once, and the next run makes up for what is missing.
 */
export function createCheckpointPublisher({ db, audit, signer, places, witness, log }: PublisherDeps) {
  async function readLog(tx: Tx): Promise<Standing['log']> {
    const { origin, size, now } = await sealedLog(tx);
    return { origin, size, now, root: await rootAt(tx, size), head: await headAt(tx, size) };
  }

  /** Reads the last checkpoint of every place and holds the log against those that bind it. @throws when no place answers */
  async function stand(signal?: AbortSignal): Promise<Standing> {
    const survey = await surveyPlaces(places, signal);
    // After the survey: the log is then at least as long as everything that was published of it.
    const state = await db.transaction(readLog);
    const refuse = (reason: CheckpointFault, name: string, place: string, size: number | null): Standing => ({
      ...{ survey, log: state, last: null, restores: [] },
      refusal: { status: 'refused', reason, name, place, publishedSize: size, size: state.size },
    });
    const lasts: { place: CheckpointPlace; name: PublishedName; note: string; checkpoint: Checkpoint }[] = [];
    for (const place of survey.reached) {
      const name = survey.names.findLast((one) => one.places.includes(place));
      const note = name && (await place.read(name.name, signal));
      if (name === undefined || note === undefined) continue;
      const opened = openPublished(name.name, note, state.origin, signer);
      if ('fault' in opened) return refuse(opened.fault, name.name, place.name, null);
      lasts.push({ place, name, note, checkpoint: opened.checkpoint });
    }
    const restores = await restoresIn(survey, state.origin, signal);
    // The longest of the newest fork first: it is the one to name.
    lasts.sort((a, b) => (a.name.name < b.name.name ? 1 : -1));
    for (const { checkpoint, name, place } of lasts) {
      if (checkpoint.size > bindingSize(checkpoint.fork, restores)) continue;
      const fault = await db.transaction((tx) => faultOf(tx, checkpoint, state));
      if (fault !== null) return refuse(fault, name.name, place.name, checkpoint.size);
    }
    const newest = lasts[0];
    const last = newest ? { checkpoint: newest.checkpoint, note: newest.note, name: newest.name.name } : null;
    return { survey, log: state, last, restores, refusal: null };
  }

  /** One checkpoint of each fork tells of the restore that began it. */
  async function restoresIn(survey: Survey, origin: string, signal?: AbortSignal): Promise<AcceptedRestore[]> {
    const restores = new Map<number, AcceptedRestore>();
    for (const { name, fork, places: where } of survey.names) {
      if (fork === 0 || restores.has(fork)) continue;
      const note = await where[0]?.read(name, signal);
      const opened = note === undefined ? undefined : openPublished(name, note, origin, signer);
      if (opened && 'checkpoint' in opened && opened.checkpoint.restored) {
        restores.set(fork, { fork, kept: opened.checkpoint.restored.kept });
      }
    }
    return [...restores.values()];
  }

  /** Brings places that were away up to the others, and records what a publisher that died did not. */
  async function catchUp({ survey, log: state }: Standing, signal?: AbortSignal): Promise<Record<string, string>> {
    const failures: Record<string, string> = {};
    const lacking = survey.names.filter(({ places: where }) => where.length < survey.reached.length);
    for (const { name, places: where } of lacking.slice(-CATCH_UP_LIMIT)) {
      const note = await where[0]?.read(name, signal);
      if (note === undefined || 'fault' in openPublished(name, note, state.origin, signer)) continue;
      for (const place of survey.reached) {
        if (where.includes(place) || place.name in failures) continue;
        await place.publish(name, note, signal).catch((error: unknown) => {
          signal?.throwIfAborted();
          failures[place.name] = reasonOf(error);
        });
      }
    }
    const unrecorded = await unrecordedCheckpoints(db.fork(), survey.names.slice(-CATCH_UP_LIMIT));
    for (const { name, places: where } of unrecorded) {
      const note = await where[0]?.read(name, signal);
      const opened = note === undefined ? undefined : openPublished(name, note, state.origin, signer);
      if (note === undefined || opened === undefined || 'fault' in opened) continue;
      const held = Object.fromEntries(places.map((place) => [place.name, where.includes(place) ? null : 'missing']));
      await db.transaction((tx) =>
        recordCheckpoint(
          tx,
          { audit },
          {
            ...{ checkpoint: opened.checkpoint, note, key: signer.keyOf(note, state.origin), trigger: 'found' },
            ...{ places: held, witness: 'none' },
          },
        ),
      );
    }
    return failures;
  }

  /**
   * Signs, has it cosigned, publishes and records. Where somebody else published the same statement first, theirs is taken.
   *
   * @param restored what a fork that begins here keeps of the log before it
   * @throws when no place takes it; nothing is recorded then
   */
  async function release(
    standing: Standing,
    trigger: CheckpointTrigger,
    begins: { fork: number; restored: { kept: number; lost: number } } | null,
    signal?: AbortSignal,
  ): Promise<Exclude<PublishOutcome, Damage>> {
    const { last, log: state, survey } = standing;
    const { fork, restored } = begins ?? last?.checkpoint ?? { fork: 0, restored: null };
    const { origin, size, root, head, now } = state;
    const checkpoint: Checkpoint = { origin, size, root, head, time: now, fork, restored };
    const name = checkpointName(checkpoint);
    const signed = signCheckpoint(checkpoint, signer.privateKey);
    const question = {
      ...{ note: signed, text: checkpointText(checkpoint), size },
      last: last && { note: last.note, text: checkpointText(last.checkpoint), size: last.checkpoint.size },
    };
    const cosigned = witness ? await witness.cosign(question, signal) : { note: signed, outcome: 'none' as const };

    let content = cosigned.note;
    let published: Checkpoint | undefined;
    const told: Record<string, string | null> = { ...survey.failures };
    let lastError: unknown;
    for (const place of survey.reached) {
      try {
        const stored = await place.publish(name, content, signal);
        const opened = openPublished(name, stored, origin, signer);
        if ('fault' in opened || !isSameStatement(opened.checkpoint, checkpoint)) {
          const reason = 'fault' in opened ? opened.fault : 'history_rewritten';
          return { status: 'refused', reason, name, place: place.name, publishedSize: size, size };
        }
        published ??= opened.checkpoint;
        content = stored;
        told[place.name] = null;
      } catch (error) {
        signal?.throwIfAborted();
        told[place.name] = reasonOf(error);
        lastError = error;
        log.warn({ err: error, place: place.name, name }, 'a checkpoint was not published to one of its places');
      }
    }
    if (published === undefined) throw lastError;
    const outcome = { note: content, places: told, witness: cosigned.outcome };
    const record = { checkpoint: published, key: signer.keyOf(content, origin), trigger, ...outcome };
    await db.transaction((tx) => recordCheckpoint(tx, { audit }, record));
    log.info({ name, trigger, places: told, witness: cosigned.outcome }, 'checkpoint published');
    return { status: 'published', checkpoint: published, ...outcome };
  }

  async function publish({ trigger, covering = 0, signal }: PublishRequest): Promise<PublishOutcome> {
    const standing = await stand(signal);
    if (standing.refusal) return standing.refusal;
    const failures = await catchUp(standing, signal);
    for (const [place, reason] of Object.entries(failures)) log.warn({ place, reason }, 'a place was not caught up');
    const { last, log: state } = standing;
    const known = last?.checkpoint.size ?? 0;
    const isNew = state.size > known && (covering > known || (await hasNewsSince(db.fork(), known)));
    if (!isNew) return { status: 'unchanged', name: last?.name ?? null };
    return release(standing, trigger, null, signal);
  }

  return {
    places,
    signer,
    stand,
    release,
    /** What a verification holds the log against. @throws when no place can be read */
    evidence: (options?: ReadOptions) => readEvidence({ db, places, signer }, options),

    /**
     * Publishes a checkpoint of everything that is sealed, unless nothing is new.
     *
     * @throws when no place can be read or written, and the database's errors; a repeat goes on from there
     */
    async publish(request: PublishRequest): Promise<PublishOutcome> {
      try {
        return await publish(request);
      } catch (error) {
        if (!isDomainError(error) || error.code !== 'log_damaged') throw error;
        const { size } = await sealedLog(db.fork());
        const { code: reason, detail } = error;
        return { status: 'refused', reason, detail, name: null, place: null, publishedSize: null, size };
      }
    },
  };
}

export interface PublishRequest {
  trigger: CheckpointTrigger;
  /** Entries that a checkpoint has to cover, even when only records of checkpoints came since the last one. */
  covering?: number;
  signal?: AbortSignal;
}

export type CheckpointPublisher = ReturnType<typeof createCheckpointPublisher>;

/** Two publishers at once sign at different times; what they say of the log must be the same. */
function isSameStatement(a: Checkpoint, b: Checkpoint): boolean {
  return a.fork === b.fork && a.size === b.size && a.root.equals(b.root) && a.head.equals(b.head);
}
