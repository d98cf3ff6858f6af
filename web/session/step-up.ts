import type { Factor, StepUpChallenge } from '../../client/index.ts';

/** A challenge on the screen, and how to answer it. */
export interface OpenChallenge {
  readonly challenge: StepUpChallenge;
  /** The same each time one challenge is asked again. */
  readonly id: number;
  /** An answer is on its way: what was typed stays until the server has judged it. */
  readonly busy: boolean;
  readonly answer: (factor: Factor | null) => void;
}

let open: OpenChallenge | undefined;
const listeners = new Set<() => void>();

function show(next: OpenChallenge | undefined): void {
  open = next;
  for (const listener of listeners) listener();
}

/** One challenge at a time: who asks while another one is open waits until that is over. */
let last: Promise<unknown> = Promise.resolve();
let current: StepUpChallenge['over'] | undefined;
let id = 0;

function ask(challenge: StepUpChallenge): Promise<Factor | null> {
  return new Promise((resolve) => {
    const shown: OpenChallenge = {
      challenge,
      id,
      busy: false,
      answer(factor) {
        show(factor === null ? undefined : { ...shown, busy: true });
        resolve(factor);
      },
    };
    show(shown);
  });
}

/** The client's step-up handler: opens the dialog, which stays until the challenge is over. @returns null when the person closes it */
export async function askForFactor(challenge: StepUpChallenge): Promise<Factor | null> {
  // After a wrong answer the same challenge comes back: it does not wait for itself.
  if (current === challenge.over) return ask(challenge);
  const turn = last;
  last = challenge.over;
  await turn;
  current = challenge.over;
  id += 1;
  void challenge.over.then(() => {
    if (open?.challenge.over === challenge.over) show(undefined);
  });
  return ask(challenge);
}

/** For useSyncExternalStore. */
export const stepUpStore = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  current: (): OpenChallenge | undefined => open,
};
