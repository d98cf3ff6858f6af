import type { Command } from 'commander';
import type { Damage, PublishOutcome, Refusal } from '../activities/checkpoint-publisher.ts';
import { type AuditFlags, type AuditTools, dataDirOption, withAuditTools } from './audit-tools.ts';

/** `tradeguard audit checkpoint ...`: what is published of the audit log, and what an operator says to it. */
export function registerAuditCheckpoint(audit: Command): void {
  const command = (usage: string, description: string) =>
    audit
      .command(usage)
      .description(description)
      .addOption(dataDirOption())
      .option('--json', 'print the result as JSON');
  command('checkpoint', 'publish a checkpoint now; exit status 1 when a published one contradicts the log').action(
    (flags: AuditFlags) => withAuditTools(flags, publish),
  );
  command('checkpoints', 'what is published, in every place; exit status 1 when one is not valid').action(
    (flags: AuditFlags) => withAuditTools(flags, list),
  );
  command('public-key', 'the verifier key of the checkpoints, for auditors to pin').action((flags: AuditFlags) =>
    withAuditTools(flags, async ({ publisher, origin, tell }) => {
      const key = publisher.signer.verifierKey(await origin());
      tell({ key }, key);
    }),
  );
  command('accept-restore', 'accept that a restored backup lost published entries: the log goes on as the next fork')
    .requiredOption('--reason <text>', 'why; goes into the audit log')
    .action((flags: AuditFlags & { reason: string }) => withAuditTools(flags, (tools) => accept(tools, flags.reason)));
}

async function publish({ publisher, db, audit, tell }: AuditTools): Promise<void> {
  const outcome = await publisher.publish({ trigger: 'request' });
  if (outcome.status === 'refused') {
    const [{ reportRefusal }, { uuidV7 }] = await Promise.all([
      import('../activities/checkpoint-incident.ts'),
      import('../security/uuid.ts'),
    ]);
    await db.transaction((tx) => reportRefusal(tx, { audit }, outcome, `audit-checkpoint:${uuidV7()}`));
    process.exitCode = 1;
  }
  tell(viewOf(outcome), sentenceOf(outcome));
}

async function list({ publisher, origin, tell }: AuditTools): Promise<void> {
  const [{ readPublished }, { openPublished }] = await Promise.all([
    import('../activities/checkpoint-places.ts'),
    import('../activities/checkpoint-check.ts'),
  ]);
  const log = await origin();
  const { published, failures } = await readPublished(publisher.places);
  const items = published.map(({ place, name, note }) => {
    const opened = openPublished(name, note, log, publisher.signer);
    if ('fault' in opened) return { name, place, valid: false, reason: opened.fault };
    const { fork, size, time, restored } = opened.checkpoint;
    return { name, place, valid: true, fork, size, time, restored };
  });
  if (items.some(({ valid }) => !valid) || Object.keys(failures).length > 0) process.exitCode = 1;
  const lines = [
    ...items.map(({ name, place, ...one }) =>
      'reason' in one
        ? `${name}  ${place}  NOT VALID: ${one.reason}`
        : `${name}  ${place}  ${one.time}  ${one.size}  valid`,
    ),
    ...Object.entries(failures).map(([place, reason]) => `The ${place} cannot be read: ${reason}`),
  ];
  tell({ items, failures }, lines.length > 0 ? lines.join('\n') : 'Nothing is published.');
}

async function accept({ publisher, db, audit, config, tell }: AuditTools, reason: string): Promise<void> {
  const [{ acceptRestore }, { sealLog }] = await Promise.all([
    import('../activities/checkpoint-restore.ts'),
    import('./seal-log.ts'),
  ]);
  const seal = () => sealLog(config.databaseUrl, config.auditKey);
  const acceptance = await acceptRestore({ db, audit, publisher }, { reason, seal });
  if (acceptance.status === 'refused') {
    process.exitCode = 1;
    tell(viewOf(acceptance), `Not accepted. ${sentenceOf(acceptance)}`);
  } else if (acceptance.status === 'nothing_lost') {
    tell({ status: 'nothing_lost' }, 'Nothing that was published is lost: there is nothing to accept.');
  } else {
    const { status, fork, kept, lost } = acceptance;
    tell({ status, fork, kept, lost }, lossOf(acceptance));
  }
}

/** What a restore lost, for a terminal. */
export function lossOf({ fork, kept, lost }: { fork: number; kept: number; lost: number }): string {
  return (
    `LOST: the audit entries ${kept} to ${lost - 1} were published and are not in the restored log. ` +
    `It goes on as fork ${fork} from entry ${kept}; the published checkpoints keep what they say of the lost ones.`
  );
}

/** An outcome in one sentence. */
export function sentenceOf(outcome: PublishOutcome): string {
  if (outcome.status === 'refused') return refusalIn(outcome);
  if (outcome.status === 'unchanged') {
    return outcome.name === null ? 'The log is empty.' : `Nothing new since ${outcome.name}.`;
  }
  const { checkpoint, places, witness } = outcome;
  const missed = Object.entries(places).flatMap(([place, reason]) => (reason === null ? [] : `${place} (${reason})`));
  return [
    `Published: ${checkpoint.size} entries, fork ${checkpoint.fork}.`,
    ...(missed.length > 0 ? [`Not published to: ${missed.join(', ')}.`] : []),
    ...(witness === 'none' ? [] : [`Witness: ${witness}.`]),
  ].join(' ');
}

function refusalIn(refusal: Refusal | Damage): string {
  if ('detail' in refusal) return `REFUSED: ${refusal.reason}. ${refusal.detail}`;
  const { reason, name, place, publishedSize, size } = refusal;
  const said = publishedSize === null ? '' : ` says ${publishedSize} entries,`;
  const after =
    reason === 'restored_without_tail' || reason === 'tail_truncated'
      ? ' If a backup was restored on purpose: `tradeguard audit accept-restore --reason TEXT`.'
      : '';
  return `REFUSED: ${reason}. ${name} in the ${place}${said} the log has ${size}.${after}`;
}

function viewOf(outcome: PublishOutcome) {
  if (outcome.status !== 'published') return outcome;
  const { checkpoint, note, places, witness } = outcome;
  const { fork, size, time } = checkpoint;
  return { status: outcome.status, fork, size, time, places, witness, note };
}
