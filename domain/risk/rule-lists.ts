import { type IpRange, isInRange, parseIp, parseIpRange } from '../network.ts';
import { MICROS_PER_MILLISECOND, type Micros } from '../time.ts';
import type { TransactionFeatures } from './features.ts';
import type { RuleList, RuleSetFault } from './rule-set.ts';

/** A list prepared for look-ups. */
export interface PreparedList {
  readonly name: string;
  readonly effect: RuleList['effect'];
  readonly match: RuleList['match'];
  /** True when the transaction's value is on the list at the transaction's time. */
  has(features: TransactionFeatures): boolean;
}

/** Prepares a list; faults name the entries that cannot be read. */
export function prepareList(list: RuleList, pointer: string): PreparedList | readonly RuleSetFault[] {
  const faults: RuleSetFault[] = [];
  const until = (text: string | undefined, index: number): Micros => {
    if (text === undefined) return Number.POSITIVE_INFINITY;
    const at = Date.parse(text);
    if (Number.isNaN(at)) faults.push({ pointer: `${pointer}/entries/${index}/until`, message: 'must be RFC 3339' });
    return at * MICROS_PER_MILLISECOND;
  };
  const { name, effect, match } = list;
  if (match === 'ip') {
    const ranges: { range: IpRange; until: Micros }[] = [];
    for (const [index, entry] of list.entries.entries()) {
      const range = parseIpRange(entry.value);
      if (range === null)
        faults.push({ pointer: `${pointer}/entries/${index}/value`, message: 'must be an address or a CIDR range' });
      else ranges.push({ range, until: until(entry.until, index) });
    }
    if (faults.length > 0) return faults;
    return {
      name,
      effect,
      match,
      has: ({ ip, at }) => {
        const address = ip === '' ? null : parseIp(ip);
        return address !== null && ranges.some((entry) => at < entry.until && isInRange(address, entry.range));
      },
    };
  }
  // The entry that lasts longest counts where a value stands twice.
  const ends = new Map<string, Micros>();
  for (const [index, entry] of list.entries.entries()) {
    ends.set(entry.value, Math.max(ends.get(entry.value) ?? 0, until(entry.until, index)));
  }
  if (faults.length > 0) return faults;
  return { name, effect, match, has: (features) => features.at < (ends.get(features[match]) ?? 0) };
}
