import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADMIN, type Instance, startInstance } from '../helpers/instance.ts';
import { bash } from './shell.ts';

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
  const [health, , key, trading, stepUp, quarantine, review, audit, administrator] = parts as string[];
  expect(health).toContain('"status":"up"');
  expect(key).toContain('"status":"fresh"');
  expect(trading?.match(/"status":"settled"/g)).toHaveLength(12);
  expect(trading).toContain('ALPN');
  expect(stepUp).toContain('"status":"step_up_required"');
  expect(stepUp).toContain('"status":"settled"');
  expect(quarantine).toContain('"status":"quarantined"');
  expect(review).toContain('"score":0.9');
  expect(review).toContain('"status":"settled"');
  expect(audit).toContain('"cause":"quarantine"');
  expect(audit).toContain('"valid":true');
  expect(administrator).toContain('"oneTimePassword":');
  expect(administrator).toContain('"backupId":');
  expect(administrator).toContain('"rotationId":');
  expect(administrator).not.toContain('urn:tradeguard:problem');
});

test('the two commands stand at the top', () => {
  const top = README.slice(0, 1000);
  expect(top).toContain('npm ci && npm start\nnpm ci && npm test');
});

test('every command and page it names exists', async () => {
  const { output } = await bash('node cli/bin.js --help', {});
  const named = [...README.matchAll(/`npx tradeguard ([^`]+)`((?:, `[a-z -]+`)*)/g)].flatMap(([, first, others]) => [
    (first as string).split(' ')[0],
    ...(first?.startsWith('backup') ? [] : [...(others ?? '').matchAll(/`([a-z]+)`/g)].map(([, name]) => name)),
  ]);
  expect(named.length).toBeGreaterThan(8);
  for (const name of named) expect(output).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  for (const [, name] of README.matchAll(/`npm run ([a-z:]+)`/g)) expect(scripts).toHaveProperty(name as string);
  for (const [, path] of README.matchAll(/\]\(([^)#]+)\)/g)) {
    expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
  }
});
