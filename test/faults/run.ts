import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { VitestOrder } from '../spec/vitest-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAMES = readdirSync(import.meta.dirname)
  .map((name) => /^(.+)\.long\.ts$/.exec(name)?.[1])
  .filter((name) => name !== undefined)
  .sort();

interface Options {
  seed: number;
  minutes: number;
  transactions: number;
}

/** `npm run test:faults`: the long forms of the fault tests. @returns the exit code */
async function main(names: readonly string[], { seed, minutes, transactions }: Options): Promise<number> {
  const unknown = names.filter((name) => !NAMES.includes(name));
  if (unknown.length > 0) throw new Error(`There is no ${unknown.join(', ')}. Write some of: ${NAMES.join(', ')}.`);
  console.log(`Seed ${seed}, ${minutes} minutes for each outage and for random faults, ${transactions} transactions.`);
  const order: VitestOrder = {
    ...{ root: ROOT, config: join(import.meta.dirname, 'long.config.ts'), bail: false },
    files: (names.length === 0 ? NAMES : names).map((name) => `test/faults/${name}.long.ts`),
  };
  const child = spawn(process.execPath, [join(ROOT, 'test/spec/vitest-process.ts'), JSON.stringify(order)], {
    cwd: ROOT,
    // Ctrl-C in the terminal is for this process alone, which cancels the run in order.
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {
      ...process.env,
      FAULTS_SEED: String(seed),
      FAULTS_MINUTES: String(minutes),
      FAULTS_TRANSACTIONS: String(transactions),
    },
  });
  let isInterrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isInterrupted = true;
      console.log('Interrupted: ending what was started.');
      if (child.connected) child.send('cancel');
    });
  }
  const [code] = (await once(child, 'exit')) as [number | null];
  return isInterrupted ? 130 : (code ?? 70);
}

function positive(text: string): number {
  const number = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || number <= 0) throw new InvalidArgumentError('Write a number above zero.');
  return number;
}

new Command('npm run test:faults --')
  .description('the long forms of the fault tests; each ends with a look at the books')
  .argument('[names...]', `some of ${NAMES.join(', ')}; all without`)
  .option('--seed <number>', 'draws the same random faults again', positive, Math.floor(Date.now() / 1000) % 1_000_000)
  .option('--minutes <number>', 'how long each outage and the random faults last', positive, 2)
  .option('--transactions <number>', 'for each of the kills', positive, 2_000)
  .action(async (names: string[], options: Options) => {
    process.exitCode = await main(names, options);
  })
  .parseAsync()
  .catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 64;
  });
