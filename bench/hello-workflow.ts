import { allHandlersFinished, condition, defineUpdate, proxyLocalActivities, setHandler } from '@temporalio/workflow';

/** Nothing but the machinery every verdict pays for: one workflow, one update that waits, one local activity. */
export const helloVerdict = defineUpdate<string>('verdict');

const { greet } = proxyLocalActivities<{ greet(name: string): Promise<string> }>({
  startToCloseTimeout: '10 seconds',
});

export async function hello(name: string): Promise<void> {
  let greeting: string | undefined;
  setHandler(helloVerdict, async () => {
    await condition(() => greeting !== undefined);
    return greeting ?? '';
  });
  greeting = await greet(name);
  await condition(allHandlersFinished);
}
