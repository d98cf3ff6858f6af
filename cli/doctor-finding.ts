/** `fail`: it does not work or is not safe. `warn`: it works, and somebody should look, or only a person can tell. */
export type State = 'ok' | 'warn' | 'fail';

/** When a deployment asks for it: before the first start, while it goes up, once it runs. */
export type Phase = 'before' | 'at' | 'after';

export interface Finding {
  /** Stable, for scripts that read `--json`. */
  readonly id: string;
  readonly phase: Phase;
  readonly title: string;
  readonly state: State;
  /** What was seen. Never a secret, and no address with a password in it. */
  readonly detail: string;
  /** What to do; undefined where nothing is. */
  readonly advice: string | undefined;
}

/** What one check says; `advice` counts only where the state is not ok. */
export interface Outcome {
  readonly state: State;
  readonly detail: string;
  readonly advice?: string;
}

export const ok = (detail: string): Outcome => ({ state: 'ok', detail });
export const warn = (detail: string, advice: string): Outcome => ({ state: 'warn', detail, advice });
export const fail = (detail: string, advice: string): Outcome => ({ state: 'fail', detail, advice });

/** Binds an outcome to its place in the list. */
export function finding(id: string, phase: Phase, title: string, outcome: Outcome): Finding {
  const { state, detail, advice } = outcome;
  return { id, phase, title, state, detail, advice: state === 'ok' ? undefined : advice };
}

/** A check that throws has failed: what it threw is told in a sentence, without what may hold a secret. */
export async function attempt(work: () => Promise<Outcome> | Outcome, advice: string): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    return fail(sentenceOf(error), advice);
  }
}

/** The first line of an error; URLs lose what stands before an @. */
export function sentenceOf(error: unknown): string {
  const { message, code, errors } = error as { message?: string; code?: string; errors?: { message?: string }[] };
  const text = message || errors?.map((one) => one.message).join('; ') || code || String(error);
  return (text.split('\n')[0] ?? '').replace(/\/\/[^@/\s]*@/g, '//');
}
