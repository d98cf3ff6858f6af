import { Client, Connection, type TLSConfig } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';

export interface TemporalOptions {
  address: string;
  namespace: string;
  tls: TLSConfig | undefined;
  identity: string;
  dataConverter: DataConverter;
}

/** gRPC would wait up to two minutes between two attempts; a server that is back is found within a second or two. */
const RECONNECT = { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 1_000 };

/**
 * A client that connects when it is first used and again after every loss: Temporal may start after the API, and go
 * away under it, without a restart.
 */
export function createTemporalClient(options: TemporalOptions) {
  const connection = Connection.lazy({
    address: options.address,
    ...(options.tls ? { tls: options.tls } : {}),
    channelArgs: RECONNECT,
  });
  const { namespace, identity, dataConverter } = options;
  const client = new Client({ connection, namespace, identity, dataConverter });
  return {
    client,
    /** Round trip to the frontend. @throws when it does not answer within `timeoutMs` */
    async ping(timeoutMs: number): Promise<void> {
      await connection.withDeadline(Date.now() + timeoutMs, () => connection.workflowService.getSystemInfo({}));
    },
    close: () => connection.close(),
  };
}

export type TemporalClient = ReturnType<typeof createTemporalClient>;
