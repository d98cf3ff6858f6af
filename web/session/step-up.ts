import type { Factor, StepUpChallenge } from '../../client/index.ts';

/** A challenge on the screen, and how to answer it. */
export interface OpenChallenge {
  readonly challenge: StepUpChallenge;
  readonly answer: (factor: Factor | null) => void;
}

let open: OpenChallenge | undefined;
const listeners = new Set<() => void>();

function show(next: OpenChallenge | undefined): void {
  open = next;
  for (const listener of listeners) listener();
}

/** One question at a time: who asks while another one is open waits for it. */
let last: Promise<unknown> = Promise.resolve();

/** The client's step-up handler: opens the dialog. @returns null when the person closes it */
export function askForFactor(challenge: StepUpChallenge): Promise<Factor | null> {
  const asked = last.then(
    () =>
      new Promise<Factor | null>((resolve) => {
        show({
          challenge,
          answer(factor) {
            show(undefined);
            resolve(factor);
          },
        });
      }),
  );
  last = asked;
  return asked;
}

/** For useSyncExternalStore. */
export const stepUpStore = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  current: (): OpenChallenge | undefined => open,
};
