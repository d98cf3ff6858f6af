import type { Input } from '../../client/index.ts';

/** What this browser says of itself: the parts that a device's signature is made of (docs/devices-and-restriction.md). */
export function deviceOfThisBrowser(): Input<'login'>['body']['device'] {
  return {
    userAgent: navigator.userAgent,
    screen: {
      width: screen.width,
      height: screen.height,
      colorDepth: screen.colorDepth,
      pixelRatio: window.devicePixelRatio,
    },
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    language: navigator.language,
    platform: navigator.platform,
    plugins: [...navigator.plugins].map(({ name }) => name),
  };
}
