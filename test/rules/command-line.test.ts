import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../db/sql.ts';
import { readDocument } from '../docs/document.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createRuleSets, documentOf } from '../helpers/rule-sets.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.js', import.meta.url));
const guide = readDocument('docs/rules.md');

let stack: Stack;
let folder: string;
let ada: SignedIn;
let ben: SignedIn;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-rules-'));
  stack = await createStack();
  [ada, ben] = [await stack.people.signedIn('admin'), await stack.people.signedIn('admin')];
});
afterAll(async () => {
  await stack?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function shell(line: string, env: Record<string, string> = {}) {
  const { config } = stack;
  const child = spawn('bash', ['--norc', '-c', `tradeguard() { "${process.execPath}" "${BIN}" "$@"; }\n${line}`], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      TRADEGUARD_URL: stack.url,
      DATABASE_URL: config.databaseUrl,
      SESSION_SECRET: config.sessionSecret,
      ENCRYPTION_KEY: config.masterKey.kind === 'key' ? config.masterKey.key.export().toString('base64') : '',
      AUDIT_KEY: config.auditKey.export().toString('base64'),
      ADA: ada.token,
      BEN: ben.token,
      ...env,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

describe('tradeguard rules', () => {
  it('takes the documented example from a file to the decisions, line by line', async () => {
    const example = guide.blocks.find(({ language }) => language === 'json')?.text ?? '';
    writeFileSync(join(folder, 'spring.json'), example);
    const block = guide.blocks.find(({ section, language }) => section === 'At a terminal' && language === 'sh');
    const lines = block?.text.trim().split('\n') ?? [];
    const printed: string[] = [];
    for (const line of lines) {
      const { code, output } = await shell(line);
      expect(code, `${line}\n${output}`).toBe(0);
      printed.push(output);
    }
    const said = printed.join('\n');
    expect(said).toContain('spring.json can be saved.');
    expect(said).toMatch(/Saved as spring-2027, SHA-256 [0-9a-f]{64}\./);
    expect(said).toContain('spring-2027 is in the shadow.');
    expect(said).toMatch(/Report [0-9a-f-]{36}\n0 decisions, 0 held/);
    expect(said).toMatch(/spring-2027 is proposed in the place of v1, by report [0-9a-f-]{36}\./);
    expect(said).toContain('spring-2027 decides now; v1 is retired.');
    expect(said).toMatch(/^spring-2027 +live +created +2 rules/m);
    expect(said).toMatch(/^count_1h +double +count +Transactions of the account/m);
  });

  it('says what is wrong: the fault and its place, the refusal of the API, a missing session', async () => {
    writeFileSync(
      join(folder, 'broken.json'),
      JSON.stringify({ ...documentOf(), rules: [{ id: 'r', title: 'r', when: 'amount > 2 * mean_90d', points: 1 }] }),
    );
    expect(await shell('tradeguard rules check broken.json')).toEqual({
      code: 1,
      output: expect.stringMatching(/broken\.json has faults:\n {2}\/rules\/0\/when \(character \d+\): /),
    });
    const saved = await shell('TRADEGUARD_TOKEN="$ADA" tradeguard rules save broken.json');
    expect(saved).toMatchObject({
      code: 1,
      output: expect.stringMatching(/400 validation_failed.*\n {2}\/document\/rules\/0\/when/),
    });
    expect(await shell('tradeguard rules list')).toMatchObject({
      code: 1,
      output: expect.stringContaining('TRADEGUARD_TOKEN'),
    });
    expect(await shell('TRADEGUARD_TOKEN="$ADA" tradeguard rules show nothing')).toMatchObject({
      code: 1,
      output: expect.stringContaining('404 not_found'),
    });
    expect(await shell('TRADEGUARD_TOKEN="$ADA" tradeguard rules retire spring-2027')).toMatchObject({
      code: 1,
      output: expect.stringContaining('409 illegal_transition'),
    });
  });

  it('renews an old factor with a code', async () => {
    await run(stack.db.fork(), `update session set factor_at = factor_at - interval '1 hour' where user_id = $1`, [
      ada.userId,
    ]);
    const version = await createRuleSets(stack).save(ben, documentOf());
    const shadow = `TRADEGUARD_TOKEN="$ADA" tradeguard rules shadow ${version}`;
    expect(await shell(shadow)).toMatchObject({ code: 1, output: expect.stringMatching(/403 step_up_needed.*--code/) });
    const { code, output } = await shell(`${shadow} --code ${stack.people.totpCode(ada.totpSecret)}`);
    expect(output).toBe(`${version} is in the shadow.\n`);
    expect(code).toBe(0);
  });
});
