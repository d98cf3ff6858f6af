import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BUILD = fileURLToPath(new URL('build.ts', import.meta.url));

/**
 * Runs web/build.ts in a process of its own: neither its memory nor the mode it builds in is the caller's.
 *
 * @param say told what it says, once there is something to do
 * @throws Error with what is wrong: the sources, or that the build's tools are not installed (`npm ci --omit=dev`)
 */
export function buildWeb(say: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BUILD], { stdio: ['ignore', 'pipe', 'pipe'] });
    let problem = '';
    child.stdout.on('data', (text: Buffer) => say(text.toString().trimEnd()));
    child.stderr.on('data', (text: Buffer) => {
      problem = `${problem}${text}`.slice(-2_000);
    });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(problem.trim()))));
  });
}
