import { describe, expect, it } from 'vitest';
import { parseUserAgent } from '../../platform/user-agent.ts';

const chrome = (version: string) =>
  `Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version} Safari/537.36`;

describe('user agent families', () => {
  it.each([
    [chrome('128.0.0.0'), 'chrome', 'windows'],
    [`${chrome('128.0.0.0')} Edg/128.0.2739.42`, 'microsoft edge', 'windows'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0', 'firefox', 'linux'],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15',
      'safari',
      'macos',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1',
      'safari',
      'ios',
    ],
    [
      'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36',
      'chrome',
      'android',
    ],
  ])('reads %s as %s on %s', (userAgent, browser, os) => {
    expect(parseUserAgent(userAgent)).toEqual({ browser, os });
  });

  it('does not change when the browser is updated', () => {
    expect(parseUserAgent(chrome('140.0.1.2'))).toEqual(parseUserAgent(chrome('128.0.0.0')));
  });

  it('calls what does not say unknown, and never throws', () => {
    expect(parseUserAgent('')).toEqual({ browser: 'unknown', os: 'unknown' });
    expect(parseUserAgent('   ')).toEqual({ browser: 'unknown', os: 'unknown' });
    expect(parseUserAgent('\u0000\ud800"><script>')).toEqual({ browser: 'unknown', os: 'unknown' });
    expect(parseUserAgent('<b>x</b>/1.0 (y)')).toEqual({ browser: 'unknown', os: 'unknown' });
    expect(parseUserAgent('curl/8.5.0')).toEqual({ browser: 'curl', os: 'unknown' });
  });
});
