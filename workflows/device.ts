import type { DeviceCleanUpInput } from './contract.ts';
import { background } from './options.ts';

/** Run every day by a schedule: forgets devices that nobody signed in from for long. @returns how many */
export async function deviceCleanUp(input: DeviceCleanUpInput): Promise<number> {
  let forgotten = 0;
  for (;;) {
    const batch = await background.forgetDevices(input);
    forgotten += batch.forgotten;
    if (!batch.more) return forgotten;
  }
}
