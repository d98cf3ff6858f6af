import { createInterface } from 'node:readline/promises';
import type { Factor, StepUpChallenge } from '../index.ts';

/** Questions at the terminal: what an application asks in a dialog of its own. */
export function createConsole() {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  return {
    ask: (question: string) => lines.question(`${question}: `),

    /** What a sign-in tells of this device. */
    device: {
      userAgent: `example/1.0 node/${process.versions.node}`,
      screen: { width: 80, height: 24, colorDepth: 1 },
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      language: 'en',
      platform: process.platform,
      plugins: [],
    },

    /** The step-up of the examples: an authenticator's code where there is one, else a mailed one. */
    async onStepUp(challenge: StepUpChallenge): Promise<Factor | null> {
      const method = challenge.methods.includes('totp') ? 'totp' : 'email_code';
      if (method === 'email_code' && challenge.triesLeft === undefined) await challenge.mailCode();
      const code = await lines.question(`Code (${method}) for this ${challenge.for}: `);
      return code === '' ? null : { method, code };
    },

    close: () => lines.close(),
  };
}
