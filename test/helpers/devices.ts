import { HOME_DEVICE } from './people.ts';

/** A phone that no account here was registered from. */
export const PHONE = {
  ...HOME_DEVICE,
  userAgent:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
  screen: { width: 390, height: 844, colorDepth: 24, pixelRatio: 3 },
  platform: 'iPhone',
};

/** Addresses with a place in the static table, as the header a proxy on the loopback interface sends. */
export const FROM = {
  berlin: { 'X-Forwarded-For': '192.0.2.10' },
  newYork: { 'X-Forwarded-For': '198.51.100.10' },
  tokyo: { 'X-Forwarded-For': '203.0.113.10' },
} as const;
