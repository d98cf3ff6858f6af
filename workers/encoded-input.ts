import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInterceptors } from '@temporalio/worker';
import { isUnencoded } from '../domain/unencoded-input.ts';

/** Refuses activities that were not scheduled by our own workflows: their arguments passed no payload codec. */
export function createEncodedInputCheck() {
  return (): ActivityInterceptors => ({
    inbound: {
      execute(input, next) {
        if (!input.args.some(isUnencoded)) return next(input);
        throw ApplicationFailure.nonRetryable('the activity came with unencoded data', 'UnencodedInput');
      },
    },
  });
}
