import { createSecretKey } from 'node:crypto';
import { pino } from 'pino';
import { createSealer } from '../../workers/sealer.ts';

/** A sealer in a process of its own, so that a test can pause it. Ends with a signal. */
createSealer({
  databaseUrl: process.env.DATABASE_URL ?? '',
  auditKey: createSecretKey(Buffer.from(process.env.AUDIT_KEY ?? '', 'base64')),
  log: pino({ level: 'silent' }),
}).start();
