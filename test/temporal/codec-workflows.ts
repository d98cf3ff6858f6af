import {
  ApplicationFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
} from '@temporalio/workflow';

interface Activities {
  repeat(text: string): Promise<string>;
  fail(text: string): Promise<void>;
  waitForOutsider(text: string): Promise<string>;
}

const once = { startToCloseTimeout: '20 seconds', retry: { maximumAttempts: 1 } } as const;
const remote = proxyActivities<Activities>(once);
const local = proxyLocalActivities<Activities>(once);

export const review = defineSignal<[unknown]>('review');
export const nudge = defineSignal<[unknown]>('nudge');
export const finish = defineSignal('finish');
export const append = defineUpdate<string, [string]>('append');
export const seen = defineQuery<unknown[], [string?]>('seen');

/** Sends what it is given through everything that leaves a payload in a history. */
export async function everything(text: string): Promise<{ seen: unknown[]; caught: string }> {
  const received: unknown[] = [];
  let finished = false;
  setHandler(review, (value) => {
    received.push({ review: value });
  });
  setHandler(nudge, (value) => {
    received.push({ nudge: value });
  });
  setHandler(finish, () => {
    finished = true;
  });
  setHandler(append, async (value) => {
    received.push({ update: value });
    return `${value} ${text}`;
  });
  setHandler(seen, () => received);
  setCurrentDetails(`details ${text}`);
  received.push(await remote.repeat(text), await local.repeat(text), await executeChild(child, { args: [text] }));
  await sleep(1, { summary: `timer ${text}` });
  let caught = '';
  try {
    await remote.fail(text);
  } catch (error) {
    caught = (error as Error).cause instanceof ApplicationFailure ? ((error as Error).cause as Error).message : 'other';
  }
  await condition(() => finished);
  return { seen: received, caught };
}

export async function child(text: string): Promise<string> {
  return `child of ${text}`;
}

export async function failing(text: string): Promise<never> {
  throw ApplicationFailure.nonRetryable(`failed over ${text}`, 'Test', { detail: text });
}

export async function answeredByOutsider(text: string): Promise<string> {
  return remote.waitForOutsider(text);
}
