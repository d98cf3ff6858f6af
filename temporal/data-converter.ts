import type { DataConverter } from '@temporalio/common';
import type { Keyring } from '../security/keyring.ts';
import { createPayloadCodec, type UnencodedPolicy } from './payload-codec.ts';

/**
 * Failure texts and stack traces are attributes of Temporal's own messages and would lie in the history as plain text;
 * the failure converter moves them into a payload, where the payload codec covers them. Without the codec it is for what
 * reads no payload, and for measuring what the codec costs.
 */
export const dataConverter: DataConverter = {
  failureConverterPath: new URL('./failure-converter.ts', import.meta.url).pathname,
};

/** The same with everything encrypted: what the API and the workers use. */
export function createEncryptedDataConverter(keyring: Keyring, unencoded: UnencodedPolicy): DataConverter {
  return { ...dataConverter, payloadCodecs: [createPayloadCodec(keyring, { unencoded })] };
}
