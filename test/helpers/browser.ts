import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** No requests of the browser's own: on a closed network they only cost time. */
const QUIET = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * The machine's own Chromium, headless. `CHROMIUM_PATH` names another one. Where there is none and the machine's packages
 * can be installed (Debian, as root), it is installed.
 *
 * @throws when there is none and none can be had; says what to do
 */
export function launchBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH || findBrowser() || installBrowser();
  if (executablePath === undefined) {
    throw new Error('These tests drive a real browser, and none was found. Install chromium, or set CHROMIUM_PATH.');
  }
  // Its sandbox needs a user that is not root, or rights that a container does not give.
  return chromium.launch({ executablePath, args: ['--no-sandbox', ...QUIET] });
}

function findBrowser(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
}

function installBrowser(): string | undefined {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined;
  console.log('No browser on this machine: installing chromium with apt-get.');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    execFileSync('apt-get', args, { env, stdio: 'ignore' });
  }
  return findBrowser();
}
