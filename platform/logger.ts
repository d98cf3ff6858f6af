import { type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

const SECRET_KEYS = [
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'newPassword',
  'currentPassword',
  'passphrase',
  'code',
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
];

// pino matches exact depths, so each key is listed for the levels at which requests and bodies are logged. `code` is
// hidden in bodies only: an error's own code (ECONNREFUSED, 23505) must stay readable.
const REDACTED = SECRET_KEYS.flatMap((key) => {
  const name = `["${key}"]`;
  const deep = [`req.headers${name}`, `res.headers${name}`, `headers${name}`, `body${name}`, `req.body${name}`];
  return key === 'code' ? deep : [name, `*${name}`, `*.*${name}`, ...deep];
});

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
  return pino({
    level,
    name,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '[redacted]' },
  });
}
