import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADMIN, type Instance, startInstance } from '../helpers/instance.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance?.stop());

test('the commands of the tour do what the README says, in its order', async () => {
  const tour = README.slice(README.indexOf('## A five-minute tour'), README.indexOf('## Commands'));
  const commands = [...tour.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block as string);
  expect(commands.length).toBeGreaterThan(6);
  const script = commands
    .map((block, n) => `echo; echo "== ${n}"\n${block}`)
    .join('\n')
    .replaceAll('root@example.com', ADMIN.email)
    .replaceAll('seven green lamps over water', ADMIN.password);

  const { code, output } = await bash(script, { DATA: instance.dataDir });
  expect(code, output).toBe(0);
  const parts = output.split(/^== \d+$/m).slice(1);
  const [health, , trading, stepUp, quarantine, review, audit] = parts as string[];
  expect(health).toContain('"status":"up"');
  expect(trading?.match(/"status":"settled"/g)).toHaveLength(12);
  expect(trading).toContain('ALPN');
  expect(stepUp).toContain('"status":"step_up_required"');
  expect(stepUp).toContain('"status":"settled"');
  expect(quarantine).toContain('"status":"quarantined"');
  expect(review).toContain('"score":0.9');
  expect(review).toContain('"status":"settled"');
  expect(audit).toContain('"cause":"quarantine"');
  expect(audit).toContain('"valid":true');
});

test('the two commands stand at the top', () => {
  const top = README.slice(0, 1000);
  expect(top).toContain('npm ci && npm start\nnpm ci && npm test');
});

async function bash(script: string, env: Record<string, string>): Promise<{ code: number; output: string }> {
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], { cwd: ROOT, env: { ...process.env, ...env } });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(shell, 'close')) as [number | null];
  return { code: code ?? -1, output };
}
