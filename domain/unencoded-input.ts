/** Key of the object that stands for a value nobody encoded. No input of ours has it. */
const UNENCODED = 'tradeguard:unencoded';

/** What a workflow is handed in place of a value that came to Temporal without passing our payload codec. */
export interface UnencodedInput {
  readonly [UNENCODED]: unknown;
}

/** Wraps a value that did not pass the codec: it came from the Temporal UI or CLI, or from somebody with access there. */
export function markUnencoded(value: unknown): UnencodedInput {
  return { [UNENCODED]: value };
}

export function isUnencoded(value: unknown): value is UnencodedInput {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, UNENCODED);
}

/** The value itself, whether it was wrapped or not. */
export function unwrapUnencoded(value: unknown): unknown {
  return isUnencoded(value) ? value[UNENCODED] : value;
}
