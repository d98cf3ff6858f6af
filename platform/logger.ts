import { type Logger as PinoLogger, pino } from 'pino';
import { logError } from './log-error.ts';

export type Logger = PinoLogger;

const SECRET_KEYS = [
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'newPassword',
  'currentPassword',
  'passphrase',
  'codes',
  'answers',
  'credential',
  'token',
  'sessionToken',
  'deviceToken',
  'csrfToken',
  'secret',
  'otpauthUri',
  'totp',
  'x-signature',
  'x-csrf-token',
  'sessionSecret',
  'masterKey',
  'auditKey',
  'databaseUrl',
  'databaseOwnerUrl',
  'smtpUrl',
  'rateLimitRedisUrl',
];

// pino matches exact depths: on its own, in a body or headers, and in those of a request. `code` is hidden in bodies only,
// since an error's own code (ECONNREFUSED, 23505) must stay readable.
const REDACTED = [
  ...SECRET_KEYS.flatMap((key) => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`]),
  'body.code',
  'req.body.code',
];

export interface LoggerOptions {
  readonly level: string;
  /** The process or part that speaks, for instance `api`. */
  readonly name: string;
}

/**
 * A logger that writes one JSON object a line to stdout, with an ISO time stamp. Secrets named above are replaced by
 * `[redacted]` as a second net; the first is that no caller logs a request body.
 */
export function createLogger({ level, name }: LoggerOptions): Logger {
  return pino(
    {
      level,
      name,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: logError },
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: '[redacted]' },
    },
    // Written at once. What is left to be flushed at the end is tried for ever where the reader is gone (sonic-boom
    // 4.2.1), and a process that nobody reads must still stop.
    pino.destination({ dest: process.stdout.fd, sync: true }),
  );
}
