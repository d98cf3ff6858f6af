import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await createStack();
});
afterAll(() => stack?.close());

/** Runs an example as its reader would, and answers its questions as they come. */
function runExample(name: string) {
  const child = spawn(process.execPath, [`client/examples/${name}.ts`, stack.url], {
    cwd: new URL('../..', import.meta.url),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk;
  });
  let faults = '';
  child.stderr.on('data', (chunk: Buffer) => {
    faults += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  let answered = 0;
  return {
    /** Waits until this is shown behind what was answered last. */
    async until(text: RegExp): Promise<void> {
      await eventually(() => text.test(shown.slice(answered)) || faults !== '', { what: `${text} in ${shown}` });
      expect(faults).toBe('');
    },
    async answer(question: RegExp, answer: string | (() => Promise<string>)): Promise<void> {
      await this.until(question);
      answered = shown.length;
      child.stdin.write(`${typeof answer === 'string' ? answer : await answer()}\n`);
    },
    /** @returns everything that it said */
    async end(): Promise<string> {
      expect(await ended, faults).toBe(0);
      return shown;
    },
    stop: () => child.kill('SIGKILL'),
  };
}

it('a customer signs in, gets a key, pays in and is refused what is not there', async () => {
  const { email, password } = await stack.people.register();
  const example = runExample('trade');
  try {
    await example.answer(/E-mail: $/, email);
    await example.answer(/Password: $/, password);
    // From another device than the one that registered: a code is mailed at once, and another one is asked for.
    const secondCode = () => eventually(() => stack.mail.codesFor(email)[1], { what: 'the second code' });
    await example.answer(/Code \(email_code\) for this login: $/, secondCode);
    const shown = await example.end();
    expect(shown).toContain('Signed in: authenticated');
    expect(shown).toContain('Deposit: settled');
    expect(shown).toMatch(/Withdrawal refused: .+/);
    expect(shown).toContain('deposit of 250.00 USD: settled');
  } finally {
    example.stop();
  }
});

it('a reviewer follows what is held and approves it', async () => {
  const trading = createTrading(stack);
  const reviewer = await stack.people.signedIn('reviewer');
  const example = runExample('review');
  try {
    await example.answer(/E-mail: $/, reviewer.email);
    await example.answer(/Password: $/, reviewer.password);
    await example.answer(/Code \(totp\) for this login: $/, stack.people.totpCode(reviewer.totpSecret));
    await example.until(/Following/);
    const trader = await trading.trader();
    const transactionId = await trading.held(trader);
    await example.answer(new RegExp(`Why is ${transactionId} approved`), 'Called the customer back');
    expect(await example.end()).toContain('Approved: settled');
    expect((await trader.get(transactionId)).body.status).toBe('settled');
  } finally {
    example.stop();
  }
});

it('what the guide shows is what the examples run, or what a test of its own runs', () => {
  const guide = readFileSync(new URL('../../client/README.md', import.meta.url), 'utf8');
  const sources = ['trade', 'review', 'console']
    .map((name) => readFileSync(new URL(`../../client/examples/${name}.ts`, import.meta.url), 'utf8'))
    .join('\n');
  const squeezed = (text: string) => text.replaceAll(/\s+/g, ' ').trim();
  const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block = '']) => squeezed(block));
  expect(blocks.length).toBeGreaterThanOrEqual(3);
  for (const block of blocks) expect(squeezed(sources)).toContain(block);
});
