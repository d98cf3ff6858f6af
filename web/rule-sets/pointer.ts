import type { SyntaxNode } from '@lezer/common';
import { parser } from '@lezer/json';

/** A stretch of a text, in characters from its beginning. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Where in a JSON text the thing is that a JSON pointer (RFC 6901) names; where it is not there, the nearest thing above it.
 *
 * @param position a character of the string that the pointer names, from 0
 */
export function rangeOf(text: string, pointer: string, position?: number): Range {
  let node = valueIn(parser.parse(text).topNode);
  if (node === null) return { from: 0, to: 0 };
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const next: SyntaxNode | null = node.name === 'Array' ? elementOf(node, name) : memberOf(node, name, text);
    if (next === null) break;
    node = next;
  }
  const { from, to } = node;
  if (position === undefined || node.name !== 'String') return { from, to };
  const at = from + 1 + writtenLength(text.slice(from + 1, to - 1), position);
  return { from: Math.min(at, to - 1), to };
}

/** The first place where a text is no JSON; undefined where it is JSON. */
export function firstFault(text: string): (Range & { readonly message: string }) | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    let found: Range | undefined;
    parser.parse(text).iterate({
      enter: ({ type, from, to }) => {
        if (type.isError) found ??= { from, to };
      },
    });
    const { from, to } = found ?? { from: text.length, to: text.length };
    return { from, to, message: error instanceof Error ? error.message : 'this is no JSON' };
  }
}

/** Line and column of a place, both from 1. */
export function lineOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}

const PUNCTUATION = new Set(['{', '}', '[', ']', ',', ':', 'PropertyName', '⚠']);

function valueIn(node: SyntaxNode): SyntaxNode | null {
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (!PUNCTUATION.has(child.name)) return child;
  }
  return null;
}

function elementOf(array: SyntaxNode, token: string): SyntaxNode | null {
  let left = Number(token);
  for (let child = array.firstChild; child !== null; child = child.nextSibling) {
    if (PUNCTUATION.has(child.name)) continue;
    if (left === 0) return child;
    left -= 1;
  }
  return null;
}

function memberOf(object: SyntaxNode, name: string, text: string): SyntaxNode | null {
  for (const property of object.getChildren('Property')) {
    const key = property.getChild('PropertyName');
    if (key !== null && nameOf(text.slice(key.from, key.to)) === name) return valueIn(property);
  }
  return null;
}

function nameOf(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    return undefined;
  }
}

/** How many characters the first `count` of a string take up as it is written, with its escapes. */
function writtenLength(written: string, count: number): number {
  let at = 0;
  for (let left = count; left > 0 && at < written.length; left -= 1) {
    if (written[at] !== '\\') at += 1;
    else at += written[at + 1] === 'u' ? 6 : 2;
  }
  return at;
}
