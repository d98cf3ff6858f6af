import type { Finding } from './finding.ts';
import type { Verdict } from './verify.ts';

/** More are counted. */
const MAX_LISTED = 20;

/** The verdict for people: what was found first, then what it rests on and what was not checked. */
export function report(verdict: Verdict): string {
  const { findings, keys, checkpoints, exports, notes, restores } = verdict;
  const lines = [headline(verdict), ''];
  if (findings.length > 0) {
    lines.push('Found:');
    for (const one of findings.slice(0, MAX_LISTED)) lines.push(`  - ${sentence(one)}`);
    if (findings.length > MAX_LISTED)
      lines.push(`  - and ${findings.length - MAX_LISTED} more (--json has all of them)`);
    lines.push('');
  }
  lines.push('Checked:', `  - log ${verdict.origin ?? 'unknown'}`);
  for (const { dir, kind, from, to, createdAt, incident } of exports) {
    const what =
      kind === 'evidence'
        ? `evidence of incident ${incident?.id} (${incident?.cause})`
        : `entries ${from} to ${Number(to) - 1}`;
    lines.push(`  - ${dir}: ${from !== null && from === to ? 'no entries' : what}, exported ${createdAt}`);
  }
  lines.push(`  - ${verdict.entries} entries: text, hashes, links, tree, columns`);
  if (verdict.archived > 0)
    lines.push(`  - of ${verdict.archived} of them, which are in cold storage, hashes, links and tree`);
  if (verdict.head !== null) lines.push(`  - last hash ${verdict.head}, root ${verdict.root}`);
  lines.push(`  - ${checkpoints.given} checkpoints: ${checkpoints.agreed} agree with the entries`);
  for (const vkey of keys.vkeys) lines.push(`  - signed by ${vkey}`);
  if (verdict.macs === 'checked') lines.push('  - the MACs of entries and seals');
  const open = limits(verdict);
  if (open.length > 0) lines.push('', 'Not checked, or for you to judge:', ...open.map((line) => `  - ${line}`));
  const remarks = [
    ...restores.map(
      ({ fork, kept, lost }) =>
        `A restore (fork ${fork}) that lost entries ${kept} to ${lost - 1} was accepted and is signed in the checkpoints.`,
    ),
    ...notes,
  ];
  if (remarks.length > 0) lines.push('', 'Notes:', ...remarks.map((line) => `  - ${line}`));
  return `${lines.join('\n')}\n`;
}

function headline({ verdict, findings, entries }: Verdict): string {
  const [first] = findings;
  if (verdict === 'sound' || first === undefined) return `SOUND: ${entries} entries are as they were signed.`;
  return `NOT SOUND: ${sentence(first)}`;
}

function sentence({ reason, seq, detail }: Finding): string {
  return seq === null ? `${reason}: ${detail}` : `${reason} at entry ${seq}: ${detail}`;
}

function limits({ keys, macs, pending, checkpoints }: Verdict): string[] {
  const open: string[] = [];
  if (!keys.pinned) {
    open.push(
      'The key was taken from the export itself. Compare it with the one you know from elsewhere, or give it with --key.',
    );
  }
  if (macs === 'not_checked')
    open.push('MACs: only the holder of the audit key can (--audit-key-file); what the exporter found is signed.');
  if (pending > 0) open.push(`${pending} entries were not sealed yet when the export was made: nothing proves them.`);
  const beyond = checkpoints.outside - checkpoints.abandoned;
  if (beyond > 0) open.push(`${beyond} checkpoints are of sizes that these entries cannot confirm.`);
  if (checkpoints.abandoned > 0)
    open.push(`${checkpoints.abandoned} checkpoints are of what an accepted restore lost.`);
  return open;
}
