import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The machine's own Chromium, headless. `CHROMIUM_PATH` names another one. @throws when there is none; says what to do */
export function launchBrowser(): Promise<Browser> {
  const { CHROMIUM_PATH, PATH = '' } = process.env;
  const candidates = PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const executablePath = CHROMIUM_PATH || candidates.find((path) => existsSync(path));
  if (executablePath === undefined) {
    throw new Error('These tests drive a real browser, and none was found. Install chromium, or set CHROMIUM_PATH.');
  }
  // Its sandbox needs a user that is not root, or rights that a container does not give.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}
