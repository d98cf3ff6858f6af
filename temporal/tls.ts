import { readFileSync } from 'node:fs';
import type { TLSConfig } from '@temporalio/client';

/** Names of PEM files; all may be missing, then the system's trust store decides. */
export interface TlsFileNames {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
}

/** Reads the files for a connection with TLS. @returns undefined where none is configured. @throws when one is missing */
export function readTls(files: TlsFileNames | undefined): TLSConfig | undefined {
  if (files === undefined) return undefined;
  const { ca, cert, key, serverName } = files;
  return {
    ...(serverName ? { serverNameOverride: serverName } : {}),
    ...(ca ? { serverRootCACertificate: readFileSync(ca) } : {}),
    ...(cert && key ? { clientCertPair: { crt: readFileSync(cert), key: readFileSync(key) } } : {}),
  };
}
