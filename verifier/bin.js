#!/usr/bin/env node
// Runs verifier/main.ts. Written for old versions of Node, since its task is to find one that is new enough.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST = 24;
const here = dirname(fileURLToPath(import.meta.url));
const entry = join(here, 'main.ts');

if (major(process.version) >= OLDEST) {
  import(entry);
} else {
  const node = join(here, '..', 'node_modules', '.bin', 'node');
  if (existsSync(node) && major(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout) >= OLDEST) {
    runUnder(node);
  } else {
    console.error(
      `tradeguard-verify needs Node ${OLDEST} and this is ${process.version}: install Node ${OLDEST} from https://nodejs.org.`,
    );
    process.exitCode = 2;
  }
}

function major(version) {
  const match = /^v(\d+)\./.exec(version || '');
  return match ? Number(match[1]) : 0;
}

function runUnder(node) {
  const child = spawn(node, [entry].concat(process.argv.slice(2)), { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`${node} cannot be executed: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
}
