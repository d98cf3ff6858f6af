import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Breaker, breakText, ROOT } from './rows.ts';

/** A copy of the repository in which lines are broken, one at a time. */
export interface MutantCopy {
  root: string;
  /** Breaks a line. @returns what puts it back @throws SpecError when the line is not there once */
  mutate(breaker: Breaker): () => void;
  /** What the type checker finds wrong with the copy as it is; undefined when it is a program. */
  typeError(): string | undefined;
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
    typeError() {
      // A name that is no longer used is no fault of a mutant.
      const lax = ['--noUnusedLocals', 'false', '--noUnusedParameters', 'false', '--pretty', 'false'];
      const tsc = join(root, 'node_modules/.bin/tsc');
      const { status, stdout, error } = spawnSync(tsc, ['--project', root, ...lax], { cwd: root, encoding: 'utf8' });
      if (error !== undefined) throw error;
      return status === 0 ? undefined : (stdout.split('\n')[0] ?? 'type error');
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
