/** An IP address as one integer; an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 address it maps. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

const MAPPED_PREFIX = 0xffffn;

/** Parses an IPv4 or IPv6 address (RFC 4291 section 2.2); a zone index (`%eth0`) is dropped. Null when it is neither. */
export function parseIp(text: string): IpAddress | null {
  const address = text.split('%', 1)[0] ?? '';
  if (!address.includes(':')) {
    const value = parseIpv4(address);
    return value === null ? null : { family: 4, value };
  }
  const value = parseIpv6(address);
  if (value === null) return null;
  return value >> 32n === MAPPED_PREFIX ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
}

/**
 * The network an address belongs to, as text that equals for all its members: by default /24 for IPv4 and /48 for
 * IPv6, the sizes usually given to one site. Null for text that is no address.
 */
export function networkKey(text: string, ipv4Bits = 24, ipv6Bits = 48): string | null {
  const ip = parseIp(text);
  if (!ip) return null;
  const [width, bits] = ip.family === 4 ? [32, ipv4Bits] : [128, ipv6Bits];
  const hostBits = BigInt(width - bits);
  return `${formatIp({ family: ip.family, value: (ip.value >> hostBits) << hostBits })}/${bits}`;
}

/** Canonical text of an address; IPv6 in full groups without `::`, which is all a key needs. */
export function formatIp(ip: IpAddress): string {
  const [groups, bits, radix] = ip.family === 4 ? [4, 8n, 10] : [8, 16n, 16];
  const mask = (1n << bits) - 1n;
  const parts = Array.from({ length: groups }, (_, i) => (ip.value >> (bits * BigInt(groups - 1 - i))) & mask);
  return parts.map((part) => part.toString(radix)).join(ip.family === 4 ? '.' : ':');
}

/**
 * Ranges that say nothing about a place: private, loopback, link-local, shared, multicast and reserved
 * (IANA special-purpose registries, RFC 6890). The documentation ranges are left out on purpose: tests and the demo
 * use them as public addresses.
 */
const NON_PUBLIC_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '224.0.0.0/3',
].map(knownRange);
const NON_PUBLIC_V6 = ['::/127', 'fc00::/7', 'fe80::/10', 'ff00::/8'].map(knownRange);

/** True for an address that is not routed on the public Internet; also for text that is no address. */
export function isNonPublic(text: string): boolean {
  const ip = parseIp(text);
  return !ip || inRanges(ip, ip.family === 4 ? NON_PUBLIC_V4 : NON_PUBLIC_V6);
}

/** True for 127.0.0.0/8 and ::1, also when written as an IPv4-mapped address. */
export function isLoopback(text: string): boolean {
  const ip = parseIp(text);
  if (!ip) return false;
  return ip.family === 4 ? ip.value >> 24n === 127n : ip.value === 1n;
}

/** A CIDR range (RFC 4632, RFC 4291 section 2.3). */
export interface IpRange {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly hostBits: bigint;
}

/** Parses `address/bits`, or an address alone as the range of itself. Null for anything else. */
export function parseIpRange(text: string): IpRange | null {
  const [address = '', bits, ...rest] = text.split('/');
  const ip = parseIp(address);
  if (!ip || rest.length > 0) return null;
  const width = ip.family === 4 ? 32 : 128;
  if (bits !== undefined && !(/^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= width)) return null;
  return { family: ip.family, value: ip.value, hostBits: BigInt(width - Number(bits ?? width)) };
}

/** True when the address lies in the range. */
export function isInRange(ip: IpAddress, range: IpRange): boolean {
  return ip.family === range.family && ip.value >> range.hostBits === range.value >> range.hostBits;
}

function inRanges(ip: IpAddress, ranges: readonly IpRange[]): boolean {
  return ranges.some((range) => isInRange(ip, range));
}

function knownRange(text: string): IpRange {
  const range = parseIpRange(text);
  if (!range) throw new Error(`not a range: ${text}`);
  return range;
}

function parseIpv4(text: string): bigint | null {
  const parts = text.split('.');
  // Leading zeros are refused: some parsers read them as octal, and two readers of one address must agree.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const left = groupsOf(halves[0] ?? '', halves.length === 1);
  const right = halves.length === 2 ? groupsOf(halves[1] ?? '', true) : [];
  if (!left || !right) return null;
  const missing = 8 - left.length - right.length;
  // `::` stands for at least one group; without it all eight are written.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...left, ...Array<bigint>(missing).fill(0n), ...right];
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
}

/** The 16-bit groups of one side of `::`; only the end of the whole address may be dotted decimal. */
function groupsOf(text: string, isEnd: boolean): bigint[] | null {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(BigInt(`0x${part}`));
      continue;
    }
    const dotted = isEnd && index === parts.length - 1 ? parseIpv4(part) : null;
    if (dotted === null) return null;
    groups.push(dotted >> 16n, dotted & 0xffffn);
  }
  return groups;
}
