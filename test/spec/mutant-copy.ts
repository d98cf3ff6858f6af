import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Breaker, breakText, ROOT } from './rows.ts';

/** A copy of the repository in which lines are broken, one at a time. */
export interface MutantCopy {
  root: string;
  /** Breaks a line. @returns what puts it back @throws SpecError when the line is not there once */
  mutate(breaker: Breaker): () => void;
  /**
   * What the type checker finds wrong with the copy as it is; undefined when it is a program.
   *
   * @throws the signal's reason when it aborts
   */
  typeError(signal: AbortSignal): Promise<string | undefined>;
  remove(): void;
}

/** Copies what git would commit, changes that are not committed yet among it; dependencies are shared by a link. */
export function copyRepository(): MutantCopy {
  const root = mkdtempSync(join(tmpdir(), 'tradeguard-mutants-'));
  const listed = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard', '--deduplicate'], { cwd: ROOT });
  const isThere = (file: string) => file !== '' && existsSync(join(ROOT, file));
  for (const file of listed.toString('utf8').split('\0').filter(isThere)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    cpSync(join(ROOT, file), join(root, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));

  return {
    root,
    mutate(breaker) {
      const path = join(root, breaker.file);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, breakText(text, breaker));
      return () => writeFileSync(path, text);
    },
    typeError(signal) {
      // A name that is no longer used is no fault of a mutant.
      const lax = ['--noUnusedLocals', 'false', '--noUnusedParameters', 'false', '--pretty', 'false'];
      const tsc = join(root, 'node_modules/.bin/tsc');
      return new Promise((resolve, reject) => {
        // A group of its own: what is called tsc starts the compiler as another process, and that finishes despite SIGTERM.
        const child = spawn(tsc, ['--project', root, ...lax], { cwd: root, detached: true });
        const kill = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL');
        signal.addEventListener('abort', kill, { once: true });
        let output = '';
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding('utf8').on('data', (text: string) => {
            output += text;
          });
        }
        child.on('error', reject);
        child.on('close', (code) => {
          signal.removeEventListener('abort', kill);
          if (signal.aborted) reject(signal.reason);
          else resolve(code === 0 ? undefined : (output.split('\n')[0] ?? ''));
        });
      });
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
