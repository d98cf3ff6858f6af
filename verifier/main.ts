import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { keysOf } from './folder.ts';
import { parseVerifierKey, type Verifier } from './note.ts';
import { UnreadableError } from './pool.ts';
import { createProgress } from './progress.ts';
import { report } from './report.ts';
import { type VerifyOptions, verify } from './verify.ts';

const USAGE = `Usage: tradeguard-verify DIR [DIR ...] [options]

Verifies exports of an audit log and evidence bundles, without the database and without the server.

  --key VKEY|FILE        believe this key only (name+id+base64; a file has one a line). May be repeated
  --audit-key-file FILE  check the MACs as well; AUDIT_KEY in base64, earlier keys on further lines
  --checkpoints DIR      checkpoints that you kept yourself
  --threads N            default: all cores
  --json                 print the verdict as JSON
  --help

Exit status: 0 sound, 1 not sound, 2 nothing could be judged (usage, unreadable files).
`;

class UsageError extends Error {}

const progress = createProgress(process.stderr);
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    progress.stop();
    process.exit(status);
  });
}

try {
  const flags = parse(process.argv.slice(2));
  if (flags === null) process.stdout.write(USAGE);
  else {
    const started = performance.now();
    const verdict = await verify({ ...flags.options, onStart: progress.start, onBytes: progress.add });
    progress.stop();
    const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
    process.stdout.write(flags.json ? `${JSON.stringify({ ...verdict, seconds })}\n` : report(verdict));
    process.exitCode = verdict.verdict === 'sound' ? 0 : 1;
  }
} catch (error) {
  progress.stop();
  const { message, code } = error as NodeJS.ErrnoException;
  const isExpected = error instanceof UsageError || error instanceof UnreadableError || code !== undefined;
  const text = isExpected ? message : ((error as Error).stack ?? message);
  process.stderr.write(`tradeguard-verify: ${text}\n`);
  if (error instanceof UsageError) process.stderr.write(USAGE);
  if (process.argv.includes('--json'))
    process.stdout.write(`${JSON.stringify({ verdict: 'error', error: message })}\n`);
  process.exitCode = 2;
}

function parse(args: string[]): { options: VerifyOptions; json: boolean } | null {
  const { values, positionals } = parsed(args);
  if (values.help) return null;
  if (positionals.length === 0) throw new UsageError('no folder was given');
  const threads = values.threads === undefined ? availableParallelism() : Number(values.threads);
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) throw new UsageError('--threads is a number from 1');
  return {
    json: values.json === true,
    options: {
      dirs: positionals,
      pinned: (values.key ?? []).flatMap(keys),
      auditKeys: values['audit-key-file'] === undefined ? [] : auditKeys(values['audit-key-file']),
      checkpoints: values.checkpoints ?? null,
      threads,
    },
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        key: { type: 'string', multiple: true },
        'audit-key-file': { type: 'string' },
        checkpoints: { type: 'string' },
        threads: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** A key, or those of a file. Pinning nothing by mistake would be to believe anybody. */
function keys(value: string): Verifier[] {
  const key = parseVerifierKey(value);
  if (key !== null) return [key];
  const found = keysOf(text(value));
  if (found.length === 0) throw new UsageError(`--key ${value}: neither a verifier key nor a file that holds one`);
  return found;
}

function auditKeys(path: string): string[] {
  const lines = text(path)
    .split(/\s+/)
    .filter((line) => line !== '');
  const isKey = (line: string) => /^[A-Za-z0-9+/]+={0,2}$/.test(line) && Buffer.from(line, 'base64').length >= 32;
  // What is in the file is a secret and not repeated here.
  if (lines.length === 0 || !lines.every(isKey))
    throw new UsageError(`--audit-key-file ${path}: not 32 bytes or more in base64, one key a line`);
  return lines;
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
