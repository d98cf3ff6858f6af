import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type DeviceComponents, normaliseDevice, signatureText } from '../domain/device.ts';
import { parseUserAgent } from '../platform/user-agent.ts';
import { textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';

const pixels = z.number().int().min(0).max(100_000);

/** What a client says about its device. Members that are not listed are dropped. */
export const deviceInput = z
  .object({
    userAgent: textInput(0, 1024),
    screen: z.object({
      width: pixels,
      height: pixels,
      colorDepth: z.number().int().min(0).max(128),
      pixelRatio: z.number().min(0).max(100).default(1),
    }),
    timezone: textInput(0, 64),
    language: textInput(0, 64),
    platform: textInput(0, 128),
    plugins: z.array(textInput(0, 200)).max(100),
  })
  .describe('What the client knows of its device')
  .meta({
    examples: [
      {
        userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
        screen: { width: 1920, height: 1080, colorDepth: 24, pixelRatio: 1 },
        timezone: 'Europe/Berlin',
        language: 'en-GB',
        platform: 'Linux x86_64',
        plugins: [],
      },
    ],
  });
nameSchemas({ DeviceFacts: deviceInput });

/** The device in its comparable form, with the SHA-256 of it (customer rows D1 and D2). */
export function describeDevice(device: z.output<typeof deviceInput>): {
  components: DeviceComponents;
  signature: Buffer;
} {
  const families = parseUserAgent(device.userAgent);
  const components = normaliseDevice({ ...device, browserFamily: families.browser, osFamily: families.os });
  return { components, signature: createHash('sha256').update(signatureText(components)).digest() };
}
