import { join } from 'node:path';
import { styleText } from 'node:util';
import type { Command } from 'commander';

/** The durations of the story: long enough to be seen, short enough to be waited for. */
const DURATIONS = {
  LOCKOUT_DURATION: '6s',
  QUARANTINE_REVIEW_WINDOW: '2m',
  STEP_UP_TIMEOUT: '1m',
  LOGIN_STEP_UP_TIMEOUT: '1m',
} as const;
const LOCKOUT_MS = 6_000;

/** `tradeguard demo`: the whole story in the terminal, on an instance of its own. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('tell the story in the terminal, on an instance of its own in a temporary folder')
    .action(async () => {
      process.exitCode = (await runDemo()) ? 0 : 1;
    });
}

/** Plays every scene. @returns false when one did not go as told; everything it started is gone again either way */
export async function runDemo(): Promise<boolean> {
  const [{ createApiClient }, { createCast }, { story }, { tamperWithCopy }, { startOwnInstance }] = await Promise.all([
    import('./api-client.ts'),
    import('./demo-cast.ts'),
    import('./demo-story.ts'),
    import('./demo-tamper.ts'),
    import('./own-instance.ts'),
  ]);
  const started = performance.now();
  const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`;
  say(styleText('bold', 'Tradeguard, told in the terminal.', { stream: process.stdout }));
  say('An instance of its own starts in a temporary folder; durations are short so that you can watch them:');
  say(
    `  ${Object.entries(DURATIONS)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}`,
  );
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  const instance = await startOwnInstance({
    env: { ...DURATIONS, LOG_LEVEL: 'info', RATE_LIMIT_PER_MINUTE: '1000000' },
    say: (line) => say(dim(`  ${line}`)),
    signal: interrupted.signal,
  });
  const api = createApiClient(instance.endpoints.api);
  try {
    say(`Ready after ${seconds()}.`);
    const scenes = story({
      api,
      cast: createCast({ api, mailDir: join(instance.dataDir, 'mail') }),
      admin: instance.admin,
      lockoutMs: LOCKOUT_MS,
      tamperWithCopy: () => tamperWithCopy(instance),
    });
    for (const [index, scene] of scenes.entries()) {
      say(`\n${styleText('bold', `${index + 1}/${scenes.length}  ${scene.title}`, { stream: process.stdout })}`);
      for (const line of await scene.play()) say(`${tick()} ${line}`);
    }
    say(`\nEverything went as told, in ${seconds()}.`);
    return true;
  } catch (error) {
    say(interrupted.signal.aborted ? '\nInterrupted.' : `${cross()} ${(error as Error).message}`);
    return false;
  } finally {
    api.close();
    await instance.stop();
    say(dim('The instance was stopped and its folder removed.'));
  }
}

const say = (line: string): void => console.log(line);
const dim = (text: string): string => styleText('dim', text, { stream: process.stdout });
const tick = (): string => styleText('green', '    ok', { stream: process.stdout });
const cross = (): string => styleText('red', '  FAIL', { stream: process.stdout });
