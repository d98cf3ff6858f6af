import type { RuleList, RuleSetDocument } from './rule-set.ts';

/** One member that differs. Absent on a side that does not have it. */
export interface MemberChange {
  /** JSON pointer (RFC 6901) below the thing that changed. */
  readonly pointer: string;
  readonly from?: unknown;
  readonly to?: unknown;
}

export interface ListChange {
  readonly name: string;
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  /** The first of each, so that a list of thousands stays readable. */
  readonly examples: readonly { readonly change: 'added' | 'removed' | 'changed'; readonly value: string }[];
  /** Effect or match, where they differ. */
  readonly members: readonly MemberChange[];
}

/** What is different between two documents, by rule and list and not by position in the text. */
export interface RuleSetDiff {
  readonly rules: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly { readonly id: string; readonly members: readonly MemberChange[] }[];
  };
  readonly lists: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly ListChange[];
  };
  /** Title, description, base, thresholds and parameters. */
  readonly members: readonly MemberChange[];
}

const LIST_EXAMPLES = 10;

/** Compares two documents: what would change when `to` takes the place of `from`. */
export function diffRuleSets(from: RuleSetDocument, to: RuleSetDocument): RuleSetDiff {
  const [rulesFrom, rulesTo] = [byKey(from.rules, ({ id }) => id), byKey(to.rules, ({ id }) => id)];
  const [listsFrom, listsTo] = [byKey(from.lists ?? [], listName), byKey(to.lists ?? [], listName)];
  return {
    rules: {
      ...sides(rulesFrom, rulesTo),
      changed: shared(rulesFrom, rulesTo).flatMap(([id, before, after]) => {
        const members = compare(before, after, '');
        return members.length === 0 ? [] : [{ id, members }];
      }),
    },
    lists: {
      ...sides(listsFrom, listsTo),
      changed: shared(listsFrom, listsTo).flatMap(([name, before, after]) => compareLists(name, before, after)),
    },
    members: compare(headOf(from), headOf(to), ''),
  };
}

/** True when nothing is different. */
export function isSame(diff: RuleSetDiff): boolean {
  const { rules, lists, members } = diff;
  return [rules.added, rules.removed, rules.changed, lists.added, lists.removed, lists.changed, members].every(
    (part) => part.length === 0,
  );
}

const listName = ({ name }: RuleList) => name;

function headOf({ rules: _rules, lists: _lists, ...head }: RuleSetDocument) {
  return head;
}

function byKey<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T> {
  return new Map(items.map((item) => [keyOf(item), item]));
}

function sides<T>(from: ReadonlyMap<string, T>, to: ReadonlyMap<string, T>) {
  return {
    added: [...to.keys()].filter((key) => !from.has(key)),
    removed: [...from.keys()].filter((key) => !to.has(key)),
  };
}

function shared<T>(from: ReadonlyMap<string, T>, to: ReadonlyMap<string, T>): [string, T, T][] {
  return [...from].flatMap(([key, before]) => {
    const after = to.get(key);
    return after === undefined ? [] : [[key, before, after] as [string, T, T]];
  });
}

function compareLists(name: string, before: RuleList, after: RuleList): ListChange[] {
  const from = byKey(before.entries, ({ value }) => value);
  const to = byKey(after.entries, ({ value }) => value);
  const { added, removed } = sides(from, to);
  const changed = shared(from, to).flatMap(([value, a, b]) => (compare(a, b, '').length === 0 ? [] : [value]));
  const members = compare(
    { effect: before.effect, match: before.match },
    { effect: after.effect, match: after.match },
    '',
  );
  if (added.length + removed.length + changed.length + members.length === 0) return [];
  const examples = (change: 'added' | 'removed' | 'changed', values: readonly string[]) =>
    values.slice(0, LIST_EXAMPLES).map((value) => ({ change, value }));
  return [
    {
      name,
      added: added.length,
      removed: removed.length,
      changed: changed.length,
      examples: [...examples('added', added), ...examples('removed', removed), ...examples('changed', changed)],
      members,
    },
  ];
}

/** Members of objects one by one; arrays and scalars whole. */
function compare(from: unknown, to: unknown, pointer: string): MemberChange[] {
  if (isObject(from) && isObject(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])];
    return keys.flatMap((key) => {
      const below = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (!Object.hasOwn(from, key)) return [{ pointer: below, to: to[key] }];
      if (!Object.hasOwn(to, key)) return [{ pointer: below, from: from[key] }];
      return compare(from[key], to[key], below);
    });
  }
  return sameValue(from, to) ? [] : [{ pointer, from, to }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Equal whatever the order of members, which a stored document need not keep. */
function sameValue(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameValue(item, b[index]));
  }
  if (isObject(a) && isObject(b)) return compare(a, b, '').length === 0;
  return a === b;
}
