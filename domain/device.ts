/**
 * What a client says about its device. Browser and OS family are parsed from the user agent elsewhere and handed in;
 * everything here is claimed by the client and proves nothing, it only makes a stolen session stand out.
 */
export interface DeviceParts {
  /** Family without version, so that an update is no new device: `Chrome`, `Firefox`, `Safari`. */
  readonly browserFamily: string;
  /** Family without version: `Windows`, `macOS`, `Linux`, `Chrome OS`, `Android`, `iOS`. */
  readonly osFamily: string;
  readonly screen: { readonly width: number; readonly height: number; readonly colorDepth: number };
  readonly timezone: string;
  /** `navigator.platform`; not part of the signature, but must fit the operating system. */
  readonly platform: string;
  readonly plugins: readonly string[];
}

/** The component classes whose change is detected and scored. Other plugins alone are no finding. */
export const DEVICE_CLASSES = ['resolution', 'timezone', 'browser', 'os'] as const;
export type DeviceClass = (typeof DEVICE_CLASSES)[number];

/** The comparable form of {@link DeviceParts}. */
export interface DeviceComponents {
  readonly browser: string;
  readonly os: string;
  readonly resolution: string;
  readonly timezone: string;
  readonly platform: string;
  readonly plugins: readonly string[];
}

/**
 * Brings the parts into one spelling: trimmed, lower case, plugins sorted and without repeats. Width and height are
 * ordered by size, since a turned phone is the same phone. The pixel ratio is left out, since zooming a page changes it.
 */
export function normaliseDevice(parts: DeviceParts): DeviceComponents {
  const { width, height, colorDepth } = parts.screen;
  return {
    browser: fold(parts.browserFamily),
    os: osKey(parts.osFamily),
    resolution: `${Math.max(width, height)}x${Math.min(width, height)}x${colorDepth}`,
    timezone: fold(parts.timezone),
    platform: fold(parts.platform),
    plugins: [...new Set(parts.plugins.map(fold))].filter((name) => name !== '').toSorted(byCodeUnit),
  };
}

/** The text whose SHA-256 is the device's signature. JSON keeps part borders, so no two devices share a text. */
export function signatureText(device: DeviceComponents): string {
  const { browser, os, resolution, timezone, plugins } = device;
  return JSON.stringify(['tradeguard-device/v1', browser, os, resolution, timezone, plugins]);
}

/** The classes that differ between two states of one device, in the order of {@link DEVICE_CLASSES}. */
export function changedClasses(before: DeviceComponents, after: DeviceComponents): DeviceClass[] {
  return DEVICE_CLASSES.filter((name) => before[name] !== after[name]);
}

/**
 * - `form_factor_changed`: the same device cookie now comes from a phone system where it was a desktop, or the other
 *   way round, or from another phone system. A cookie does not move between machines by itself. A browser that asks
 *   for the desktop site poses as one (Android as Linux, iOS as macOS): those pairs are explained and no finding.
 * - `platform_contradiction`: `navigator.platform` and the user agent name operating systems that exclude each other.
 * - `browser_os_contradiction`: a Safari that claims to run on an operating system it was never built for.
 */
export type ImpossibleChange = 'form_factor_changed' | 'platform_contradiction' | 'browser_os_contradiction';

/** What cannot be true of the device as presented, given what its cookie's device was before (null: no cookie). */
export function impossibleChanges(before: DeviceComponents | null, after: DeviceComponents): ImpossibleChange[] {
  const found: ImpossibleChange[] = [];
  if (before && isImpossibleSwitch(before.os, after.os)) found.push('form_factor_changed');
  if (contradictsPlatform(after)) found.push('platform_contradiction');
  if (after.browser === 'safari' && ['windows', 'linux', 'android', 'chromeos'].includes(after.os)) {
    found.push('browser_os_contradiction');
  }
  return found;
}

/**
 * How a presented device relates to the account's devices:
 * `known` cookie or equal signature, nothing changed; `changed` cookie known, parts differ; `unknown` neither.
 */
export interface DeviceFinding {
  readonly kind: 'known' | 'changed' | 'unknown';
  readonly changed: readonly DeviceClass[];
  readonly impossible: readonly ImpossibleChange[];
}

/** The account's devices a presented one was looked up against. Revoked devices are not handed in. */
export interface DeviceMatches {
  /** The device its cookie or device token names, if that is one of the account's. */
  readonly byCookie: DeviceComponents | null;
  /** True when a device of the account has the equal signature; false where a cookie is required (`DEVICE_BINDING`). */
  readonly bySignature: boolean;
}

/** Compares a presented device with what the account has. A cookie outweighs an equal signature. */
export function assessDevice(presented: DeviceComponents, matches: DeviceMatches): DeviceFinding {
  const impossible = impossibleChanges(matches.byCookie, presented);
  if (matches.byCookie) {
    const changed = changedClasses(matches.byCookie, presented);
    return { kind: changed.length > 0 ? 'changed' : 'known', changed, impossible };
  }
  return { kind: matches.bySignature ? 'known' : 'unknown', changed: [], impossible };
}

/** Spellings of one operating system by different user-agent parsers. */
const OS_ALIASES: Readonly<Record<string, string>> = {
  'mac os': 'macos',
  'mac os x': 'macos',
  osx: 'macos',
  'chrome os': 'chromeos',
  ipados: 'ios',
  'windows nt': 'windows',
};
const PHONE_SYSTEMS = ['android', 'ios'];
const DESKTOP_SYSTEMS = ['windows', 'macos', 'linux', 'chromeos'];

/** Desktop mode of mobile browsers, in either direction. Chrome OS runs Android browsers. */
const EXPLAINED_PAIRS = [
  ['android', 'linux'],
  ['ios', 'macos'],
  ['android', 'chromeos'],
] as const;

/** Operating systems a `navigator.platform` that starts so can come from, desktop mode included. */
const PLATFORM_SYSTEMS: ReadonlyArray<readonly [prefix: RegExp, systems: readonly string[]]> = [
  [/^win/, ['windows']],
  [/^mac/, ['macos', 'ios']],
  [/^(iphone|ipad|ipod)/, ['ios', 'macos']],
  [/^android/, ['android', 'linux']],
  [/^linux/, ['linux', 'android', 'chromeos']],
];

function isImpossibleSwitch(before: string, after: string): boolean {
  if (before === after || !isKnownSystem(before) || !isKnownSystem(after)) return false;
  // Two desktop systems on one machine exist (dual boot with a shared browser profile): a change, not an impossibility.
  if (DESKTOP_SYSTEMS.includes(before) && DESKTOP_SYSTEMS.includes(after)) return false;
  return !EXPLAINED_PAIRS.some(([a, b]) => (before === a && after === b) || (before === b && after === a));
}

function contradictsPlatform(device: DeviceComponents): boolean {
  // Not every browser tells its platform, and an unknown system contradicts nothing.
  if (!isKnownSystem(device.os)) return false;
  const entry = PLATFORM_SYSTEMS.find(([prefix]) => prefix.test(device.platform));
  return entry !== undefined && !entry[1].includes(device.os);
}

function isKnownSystem(os: string): boolean {
  return PHONE_SYSTEMS.includes(os) || DESKTOP_SYSTEMS.includes(os);
}

function osKey(name: string): string {
  const folded = fold(name);
  return Object.hasOwn(OS_ALIASES, folded) ? (OS_ALIASES[folded] ?? folded) : folded;
}

function fold(text: string): string {
  return text.trim().toLowerCase();
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
